# All results become figures; shortcuts in the data become a table.


rule roc:
    input:
        metrics=lambda w: row_files(f"{EVALUATE}/metrics.json", w.dataset),
        predictions=lambda w: row_files(f"{EVALUATE}/predictions.parquet", w.dataset),
    output:
        *figure("roc_{dataset}", "roc", "2 Test set"),
    log:
        "logs/roc/{dataset}.log",
    localrule: True
    conda:
        CPU_ENVIRONMENT
    resources:
        mem_mb=1000,
    params:
        **figure_params("roc"),
    message:
        "Drawing the ROC curves of {wildcards.dataset}"
    script:
        "../scripts/roc.py"


rule confusion:
    input:
        metrics=lambda w: row_files(f"{EVALUATE}/metrics.json", w.dataset),
    output:
        *figure("confusion_{dataset}", "confusion", "2 Test set"),
    log:
        "logs/confusion/{dataset}.log",
    localrule: True
    conda:
        CPU_ENVIRONMENT
    resources:
        mem_mb=1000,
    params:
        **figure_params("confusion"),
    message:
        "Drawing what is confused with what in {wildcards.dataset}"
    script:
        "../scripts/confusion.py"


rule reliability:
    input:
        metrics=lambda w: row_files(f"{EVALUATE}/metrics.json", w.dataset),
        predictions=lambda w: row_files(f"{EVALUATE}/predictions.parquet", w.dataset),
    output:
        *figure("reliability_{dataset}", "reliability", "2 Test set"),
    log:
        "logs/reliability/{dataset}.log",
    localrule: True
    conda:
        CPU_ENVIRONMENT
    resources:
        mem_mb=1000,
    params:
        **figure_params("reliability"),
    message:
        "Drawing how far probabilities can be believed in {wildcards.dataset}"
    script:
        "../scripts/reliability.py"


rule mistakes:
    input:
        **records_of("test"),
        metrics=lambda w: row_files(f"{EVALUATE}/metrics.json", w.dataset),
        predictions=lambda w: row_files(f"{EVALUATE}/predictions.parquet", w.dataset),
    output:
        *figure("mistakes_{dataset}", "mistakes", "2 Test set"),
    log:
        "logs/mistakes/{dataset}.log",
    localrule: True
    conda:
        CPU_ENVIRONMENT
    resources:
        **of_job("mistakes"),
    params:
        **figure_params("mistakes"),
    message:
        "Drawing what is most confidently wrong in {wildcards.dataset}"
    script:
        "../scripts/mistakes.py"


rule embedding:
    input:
        catalogue=shards_of("test", kind="parquet"),
        metrics=lambda w: mapped_files(f"{EVALUATE}/metrics.json", w.dataset),
        features=lambda w: mapped_files(f"{EVALUATE}/features.npy", w.dataset),
    output:
        *figure("embedding_{dataset}", "embedding", "3 Features, labels, transfer"),
    log:
        "logs/embedding/{dataset}.log",
    localrule: True
    conda:
        CPU_ENVIRONMENT
    resources:
        mem_mb=2000,
    params:
        **figure_params("embedding"),
    message:
        "Drawing a map of the features of {wildcards.dataset}"
    script:
        "../scripts/embedding.py"


rule label_efficiency:
    input:
        csv="results/comparison/auc_table.csv",
        summary="results/comparison/auc_summary.csv",
        provenance="results/comparison/provenance.json",
    output:
        *figure("label_efficiency_{dataset}", "label_efficiency", "3 Features, labels, transfer"),
        table="results/comparison/label_efficiency_{dataset}.md",
    log:
        "logs/label_efficiency/{dataset}.log",
    localrule: True
    conda:
        CPU_ENVIRONMENT
    resources:
        mem_mb=1000,
    params:
        **figure_params("label_efficiency"),
    message:
        "Drawing how few labels do in {wildcards.dataset}"
    script:
        "../scripts/label_efficiency.py"


rule transfer:
    input:
        summary="results/comparison/auc_summary.csv",
        provenance="results/comparison/provenance.json",
    output:
        *figure("transfer_{pretraining}", "transfer", "3 Features, labels, transfer"),
    log:
        "logs/transfer/{pretraining}.log",
    localrule: True
    conda:
        CPU_ENVIRONMENT
    resources:
        mem_mb=1000,
    params:
        **figure_params("transfer", name="{pretraining}"),
    message:
        "Drawing the transfers of {wildcards.pretraining}"
    script:
        "../scripts/transfer.py"


rule training_curves:
    input:
        histories=lambda w: of_curves("history.csv", w.stage, w.dataset),
        provenance=lambda w: of_curves("provenance.json", w.stage, w.dataset),
    output:
        *figure("{stage}_{dataset}", "training", "4 Training"),
    log:
        "logs/training_curves/{stage}_{dataset}.log",
    localrule: True
    conda:
        CPU_ENVIRONMENT
    resources:
        mem_mb=1000,
    params:
        **figure_params("training_curves", figure="{stage}"),
    message:
        "Drawing the {wildcards.stage} curves of {wildcards.dataset}"
    script:
        "../scripts/training_curves.py"


rule shortcuts:
    input:
        **records_of_run("train", "test"),
    output:
        table="results/comparison/shortcuts.md",
        csv="results/comparison/shortcuts.csv",
    log:
        "logs/shortcuts.log",
    benchmark:
        "logs/benchmarks/shortcuts.tsv"
    conda:
        CPU_ENVIRONMENT
    resources:
        **of_job("shortcuts"),
    params:
        datasets=lambda w: settings.dataset_titles(config),
        code=script_digest("shortcuts"),
    message:
        "Looking for shortcuts in the data"
    script:
        "../scripts/shortcuts.py"


rule gallery:
    input:
        **records_of("validation"),
        catalogue=shards_of("validation", kind="parquet"),
    output:
        *figure("gallery_{dataset}", "data", "5 Data"),
        *figure("parameters_{dataset}", "data", "5 Data"),
    log:
        "logs/gallery/{dataset}.log",
    localrule: True
    conda:
        CPU_ENVIRONMENT
    resources:
        **of_job("gallery"),
    params:
        **figure_params("gallery"),
    message:
        "Drawing images and parameters of {wildcards.dataset}"
    script:
        "../scripts/gallery.py"
