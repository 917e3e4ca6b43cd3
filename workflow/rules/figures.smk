# All results become figures. Settings are functions, or Snakemake would fill in braces in a title.


rule roc:
    input:
        metrics=lambda w: row_files(f"{EVALUATE}/metrics.json", w.dataset),
        predictions=lambda w: row_files(f"{EVALUATE}/predictions.parquet", w.dataset),
    output:
        report(
            "results/comparison/roc_{dataset}.png",
            caption="../report/roc.rst",
            category="2 Test set",
        ),
        "results/comparison/roc_{dataset}.svg",
    log:
        "logs/roc/{dataset}.log",
    benchmark:
        "logs/benchmarks/roc/{dataset}.tsv"
    localrule: True
    conda:
        "../../envs/tensorflow-cpu.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        settings=figure_settings("roc"),
        code=script_digest("roc"),
    message:
        "Drawing the ROC curves of {wildcards.dataset}"
    script:
        "../scripts/roc.py"


rule confusion:
    input:
        metrics=lambda w: row_files(f"{EVALUATE}/metrics.json", w.dataset),
    output:
        report(
            "results/comparison/confusion_{dataset}.png",
            caption="../report/confusion.rst",
            category="2 Test set",
        ),
        "results/comparison/confusion_{dataset}.svg",
    log:
        "logs/confusion/{dataset}.log",
    benchmark:
        "logs/benchmarks/confusion/{dataset}.tsv"
    localrule: True
    conda:
        "../../envs/tensorflow-cpu.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=30,
    params:
        settings=figure_settings("confusion"),
        code=script_digest("confusion"),
    message:
        "Drawing what is confused with what in {wildcards.dataset}"
    script:
        "../scripts/confusion.py"


rule reliability:
    input:
        metrics=lambda w: row_files(f"{EVALUATE}/metrics.json", w.dataset),
        predictions=lambda w: row_files(f"{EVALUATE}/predictions.parquet", w.dataset),
    output:
        report(
            "results/comparison/reliability_{dataset}.png",
            caption="../report/reliability.rst",
            category="2 Test set",
        ),
        "results/comparison/reliability_{dataset}.svg",
    log:
        "logs/reliability/{dataset}.log",
    benchmark:
        "logs/benchmarks/reliability/{dataset}.tsv"
    localrule: True
    conda:
        "../../envs/tensorflow-cpu.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=30,
    params:
        settings=figure_settings("reliability"),
        code=script_digest("reliability"),
    message:
        "Drawing how far probabilities can be believed in {wildcards.dataset}"
    script:
        "../scripts/reliability.py"


rule mistakes:
    input:
        manifest=f"{DATA}/manifest.json",
        shards=shards_of("test"),
        metrics=lambda w: row_files(f"{EVALUATE}/metrics.json", w.dataset),
        predictions=lambda w: row_files(f"{EVALUATE}/predictions.parquet", w.dataset),
    output:
        report(
            "results/comparison/mistakes_{dataset}.png",
            caption="../report/mistakes.rst",
            category="2 Test set",
        ),
        "results/comparison/mistakes_{dataset}.svg",
    log:
        "logs/mistakes/{dataset}.log",
    benchmark:
        "logs/benchmarks/mistakes/{dataset}.tsv"
    localrule: True
    conda:
        "../../envs/tensorflow-cpu.yaml"
    threads: 1
    resources:
        mem_mb=holding_mb("test"),
        runtime=30,
    params:
        settings=figure_settings("mistakes"),
        code=script_digest("mistakes"),
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
        report(
            "results/comparison/embedding_{dataset}.png",
            caption="../report/embedding.rst",
            category="3 Features, labels, transfer",
        ),
        "results/comparison/embedding_{dataset}.svg",
    log:
        "logs/embedding/{dataset}.log",
    benchmark:
        "logs/benchmarks/embedding/{dataset}.tsv"
    localrule: True
    conda:
        "../../envs/tensorflow-cpu.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        settings=figure_settings("embedding"),
        code=script_digest("embedding"),
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
        report(
            "results/comparison/label_efficiency_{dataset}.png",
            caption="../report/label_efficiency.rst",
            category="3 Features, labels, transfer",
        ),
        "results/comparison/label_efficiency_{dataset}.svg",
        table="results/comparison/label_efficiency_{dataset}.md",
    log:
        "logs/label_efficiency/{dataset}.log",
    benchmark:
        "logs/benchmarks/label_efficiency/{dataset}.tsv"
    localrule: True
    conda:
        "../../envs/tensorflow-cpu.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=30,
    params:
        settings=figure_settings("label_efficiency"),
        code=script_digest("label_efficiency"),
    message:
        "Drawing how few labels do in {wildcards.dataset}"
    script:
        "../scripts/label_efficiency.py"


rule transfer:
    input:
        summary="results/comparison/auc_summary.csv",
        provenance="results/comparison/provenance.json",
    output:
        report(
            "results/comparison/transfer_{pretraining}.png",
            caption="../report/transfer.rst",
            category="3 Features, labels, transfer",
        ),
        "results/comparison/transfer_{pretraining}.svg",
    log:
        "logs/transfer/{pretraining}.log",
    benchmark:
        "logs/benchmarks/transfer/{pretraining}.tsv"
    localrule: True
    conda:
        "../../envs/tensorflow-cpu.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=30,
    params:
        settings=figure_settings("transfer", "{pretraining}"),
        code=script_digest("transfer"),
    message:
        "Drawing the transfers of {wildcards.pretraining}"
    script:
        "../scripts/transfer.py"


rule training_curves:
    input:
        histories=lambda w: of_curves("history.csv", w.stage, w.dataset),
        provenance=lambda w: of_curves("provenance.json", w.stage, w.dataset),
    output:
        report(
            "results/comparison/{stage}_{dataset}.png",
            caption="../report/training.rst",
            category="4 Training",
        ),
        "results/comparison/{stage}_{dataset}.svg",
    log:
        "logs/training_curves/{stage}_{dataset}.log",
    benchmark:
        "logs/benchmarks/training_curves/{stage}_{dataset}.tsv"
    localrule: True
    conda:
        "../../envs/tensorflow-cpu.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        settings=figure_settings("{stage}"),
        code=script_digest("training_curves"),
    message:
        "Drawing the {wildcards.stage} curves of {wildcards.dataset}"
    script:
        "../scripts/training_curves.py"


rule shortcuts:
    input:
        manifests=expand(f"{DATA}/manifest.json", dataset=config["run"]["datasets"]),
        shards=records_of_run("train", "test"),
    output:
        table="results/comparison/shortcuts.md",
        csv="results/comparison/shortcuts.csv",
    log:
        "logs/shortcuts.log",
    benchmark:
        "logs/benchmarks/shortcuts.tsv"
    conda:
        "../../envs/tensorflow-cpu.yaml"
    threads: 1
    resources:
        mem_mb=largest_mb("train", "test"),
        runtime=minutes(comparing_seconds),
        estimated_seconds=comparing_seconds,
    params:
        datasets=lambda w: settings.dataset_titles(config),
        code=script_digest("shortcuts"),
    message:
        "Looking for shortcuts in the data"
    script:
        "../scripts/shortcuts.py"


rule gallery:
    input:
        manifest=f"{DATA}/manifest.json",
        catalogue=shards_of("validation", kind="parquet"),
        shards=shards_of("validation"),
    output:
        gallery=report(
            "results/comparison/gallery_{dataset}.png",
            caption="../report/data.rst",
            category="5 Data",
        ),
        gallery_svg="results/comparison/gallery_{dataset}.svg",
        parameters=report(
            "results/comparison/parameters_{dataset}.png",
            caption="../report/data.rst",
            category="5 Data",
        ),
        parameters_svg="results/comparison/parameters_{dataset}.svg",
    log:
        "logs/gallery/{dataset}.log",
    benchmark:
        "logs/benchmarks/gallery/{dataset}.tsv"
    localrule: True
    conda:
        "../../envs/tensorflow-cpu.yaml"
    threads: 1
    resources:
        mem_mb=holding_mb("validation"),
        runtime=10,
    params:
        settings=figure_settings("gallery"),
        code=script_digest("gallery"),
    message:
        "Drawing images and parameters of {wildcards.dataset}"
    script:
        "../scripts/gallery.py"
