# All metrics become tables and figures.


rule compare:
    input:
        metrics=cells(f"{EVALUATE}/metrics.json", settings.arm_titles(config)),
    output:
        table=report("results/comparison/auc_table.md", category="Comparison"),
        csv="results/comparison/auc_table.csv",
    log:
        "logs/compare.log",
    benchmark:
        "logs/benchmarks/compare.tsv"
    conda:
        "../../envs/tensorflow-cpu.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        arms=settings.arm_titles(config),
        rows=ROWS,
        datasets=settings.dataset_titles(config),
        code=script_digest("compare"),
    message:
        "Comparing"
    script:
        "../scripts/compare.py"


rule probe_table:
    input:
        csv="results/comparison/auc_table.csv",
    output:
        table=report("results/comparison/probe_table.md", category="Comparison"),
    log:
        "logs/probe_table.log",
    benchmark:
        "logs/benchmarks/probe_table.tsv"
    conda:
        "../../envs/tensorflow-cpu.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        arms=settings.arm_titles(config, LINEAR_PROBE),
        datasets=settings.dataset_titles(config),
        code=script_digest("probe_table"),
    message:
        "Comparing the probes of the frozen encoders"
    script:
        "../scripts/probe_table.py"


rule roc:
    input:
        predictions=lambda w: row_files(f"{EVALUATE}/predictions.parquet", w.dataset),
    output:
        report("results/comparison/roc_{dataset}.png", category="ROC curves"),
        "results/comparison/roc_{dataset}.svg",
    log:
        "logs/roc/{dataset}.log",
    benchmark:
        "logs/benchmarks/roc/{dataset}.tsv"
    conda:
        "../../envs/tensorflow-cpu.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        titles=list(ROWS.values()),
        title=lambda w: settings.dataset_titles(config)[w.dataset],
        code=script_digest("roc"),
    message:
        "Drawing the ROC curves of {wildcards.dataset}"
    script:
        "../scripts/roc.py"


rule training_curves:
    input:
        histories=lambda w: histories(w.stage, w.dataset),
    output:
        report("results/comparison/{stage}_{dataset}.png", category="Training"),
        "results/comparison/{stage}_{dataset}.svg",
    log:
        "logs/training_curves/{stage}_{dataset}.log",
    benchmark:
        "logs/benchmarks/training_curves/{stage}_{dataset}.tsv"
    conda:
        "../../envs/tensorflow-cpu.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        titles=lambda w: list((ROWS if w.stage == "finetuning" else PRETRAINED_ROWS).values()),
        rows=list(ROWS.values()),
        title=lambda w: (
            f"{settings.dataset_titles(config)[w.dataset]}: "
            + w.stage.replace("finetuning", "fine-tuning")
        ),
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
        table=report("results/comparison/shortcuts.md", category="Data"),
        csv="results/comparison/shortcuts.csv",
    log:
        "logs/shortcuts.log",
    benchmark:
        "logs/benchmarks/shortcuts.tsv"
    conda:
        "../../envs/tensorflow-cpu.yaml"
    threads: 1
    resources:
        mem_mb=largest_memory_mb("train", "test"),
        runtime=60,
    params:
        datasets=settings.dataset_titles(config),
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
        gallery=report("results/comparison/gallery_{dataset}.png", category="Data"),
        gallery_svg="results/comparison/gallery_{dataset}.svg",
        parameters=report("results/comparison/parameters_{dataset}.png", category="Data"),
        parameters_svg="results/comparison/parameters_{dataset}.svg",
    log:
        "logs/gallery/{dataset}.log",
    benchmark:
        "logs/benchmarks/gallery/{dataset}.tsv"
    conda:
        "../../envs/tensorflow-cpu.yaml"
    threads: 1
    resources:
        mem_mb=memory_mb("validation"),
        runtime=10,
    params:
        dataset=settings_of_dataset,
        title=lambda w: settings.dataset_titles(config)[w.dataset],
        code=script_digest("gallery"),
    message:
        "Drawing images and parameters of {wildcards.dataset}"
    script:
        "../scripts/gallery.py"
