# All results become figures; shortcuts in the data become a table.


rule roc:
    input:
        metrics=row_files(f"{EVALUATE}/metrics.json"),
        predictions=row_files(f"{EVALUATE}/predictions.parquet"),
    output:
        figures("roc", "roc", "2 Test set"),
    log:
        "logs/roc.log",
    localrule: True
    conda:
        CPU_ENVIRONMENT
    resources:
        mem_mb=1000,
    params:
        **params_of_figures("roc"),
    message:
        "Drawing ROC curves"
    script:
        "../scripts/roc.py"


rule confusion:
    input:
        metrics=row_files(f"{EVALUATE}/metrics.json"),
    output:
        figures("confusion", "confusion", "2 Test set"),
    log:
        "logs/confusion.log",
    localrule: True
    conda:
        CPU_ENVIRONMENT
    resources:
        mem_mb=1000,
    params:
        **params_of_figures("confusion"),
    message:
        "Drawing what is confused with what"
    script:
        "../scripts/confusion.py"


rule reliability:
    input:
        metrics=row_files(f"{EVALUATE}/metrics.json"),
        predictions=row_files(f"{EVALUATE}/predictions.parquet"),
    output:
        figures("reliability", "reliability", "2 Test set"),
    log:
        "logs/reliability.log",
    localrule: True
    conda:
        CPU_ENVIRONMENT
    resources:
        mem_mb=1000,
    params:
        **params_of_figures("reliability"),
    message:
        "Drawing how far probabilities can be believed"
    script:
        "../scripts/reliability.py"


rule mistakes:
    input:
        **records_of_run("test"),
        metrics=row_files(f"{EVALUATE}/metrics.json"),
        predictions=row_files(f"{EVALUATE}/predictions.parquet"),
    output:
        figures("mistakes", "mistakes", "2 Test set"),
    log:
        "logs/mistakes.log",
    localrule: True
    conda:
        CPU_ENVIRONMENT
    resources:
        mem_mb=2000,
    params:
        **params_of_figures("mistakes"),
    message:
        "Drawing what is most confidently wrong"
    script:
        "../scripts/mistakes.py"


rule predicted:
    input:
        metrics=row_files(f"{EVALUATE}/metrics.json"),
        predictions=row_files(f"{EVALUATE}/predictions.parquet"),
    output:
        figures("predicted", "predicted", "2 Regression"),
    log:
        "logs/predicted.log",
    localrule: True
    conda:
        CPU_ENVIRONMENT
    resources:
        mem_mb=1000,
    params:
        **params_of_figures("predicted"),
    message:
        "Drawing what is predicted against what is true"
    script:
        "../scripts/predicted.py"


rule calibration:
    input:
        metrics=row_files(f"{EVALUATE}/metrics.json"),
        predictions=row_files(f"{EVALUATE}/predictions.parquet"),
        validation=row_files(f"{EVALUATE}/validation.parquet"),
    output:
        figures("calibration", "calibration", "2 Regression"),
    log:
        "logs/calibration.log",
    localrule: True
    conda:
        CPU_ENVIRONMENT
    resources:
        mem_mb=1000,
    params:
        **params_of_figures("calibration"),
    message:
        "Drawing how far predicted distributions can be believed"
    script:
        "../scripts/calibration.py"


rule outliers:
    input:
        **records_of_run("test"),
        metrics=row_files(f"{EVALUATE}/metrics.json"),
        predictions=row_files(f"{EVALUATE}/predictions.parquet"),
    output:
        figures("outliers", "outliers", "2 Regression"),
    log:
        "logs/outliers.log",
    localrule: True
    conda:
        CPU_ENVIRONMENT
    resources:
        mem_mb=2000,
    params:
        **params_of_figures("outliers"),
    message:
        "Drawing the largest errors in standard deviations"
    script:
        "../scripts/outliers.py"


rule embedding:
    input:
        unpack(lambda w: mapped_files(w.dataset)),
        catalogue=shards_of("test", kind="parquet"),
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
        **COMPARED,
        csv=f"results/comparison/{TRAITS.measure}_table.csv",
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
        **figure_params("label_efficiency", loaded=[MEASURED]),
    message:
        "Drawing how few labels do in {wildcards.dataset}"
    script:
        "../scripts/label_efficiency.py"


rule intervals:
    input:
        **COMPARED,
    output:
        figures("intervals", "intervals", "1 Comparison", PROTOCOLS),
    log:
        "logs/intervals.log",
    localrule: True
    conda:
        CPU_ENVIRONMENT
    resources:
        mem_mb=1000,
    params:
        **params_of_figures("intervals", of=PROTOCOLS, loaded=[MEASURED]),
    message:
        "Drawing the intervals of all methods"
    script:
        "../scripts/intervals.py"


rule transfer:
    input:
        **COMPARED,
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
        **figure_params("transfer", name="{pretraining}", loaded=[MEASURED]),
    message:
        "Drawing the transfers of {wildcards.pretraining}"
    script:
        "../scripts/transfer.py"


rule training_curves:
    input:
        histories=lambda w: of_curves("history.csv", w.stage),
        provenance=lambda w: of_curves("provenance.json", w.stage),
    output:
        figures("{stage}", "training", "4 Training"),
    log:
        "logs/training_curves/{stage}.log",
    localrule: True
    conda:
        CPU_ENVIRONMENT
    resources:
        mem_mb=1000,
    params:
        **params_of_figures("training_curves", figure="{stage}"),
    message:
        "Drawing the {wildcards.stage} curves"
    script:
        "../scripts/training_curves.py"


rule reconstructions:
    input:
        pictures=of_reconstructions("pictures.npz"),
        provenance=of_reconstructions("provenance.json"),
    output:
        figures("reconstructions", "reconstructions", "4 Training"),
    log:
        "logs/reconstructions.log",
    localrule: True
    conda:
        CPU_ENVIRONMENT
    resources:
        mem_mb=1000,
    params:
        **params_of_figures("reconstructions"),
    message:
        "Drawing what is reconstructed"
    script:
        "../scripts/reconstructions.py"


rule shortcuts:
    input:
        **records_of_run("train", "test"),
    output:
        table="results/comparison/shortcuts.md",
        csv="results/comparison/shortcuts.csv",
    log:
        "logs/shortcuts.log",
    conda:
        CPU_ENVIRONMENT
    resources:
        **of_job("shortcuts"),
    params:
        datasets=lambda w: rows.dataset_titles(config),
        code=code_of("shortcuts"),
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
        mem_mb=2000,
    params:
        **figure_params("gallery"),
    message:
        "Drawing images and parameters of {wildcards.dataset}"
    script:
        "../scripts/gallery.py"
