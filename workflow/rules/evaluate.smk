# The whole test set, each image once; and the classifier as one file for others to use.


rule evaluate:
    input:
        manifest=f"{DATA}/manifest.json",
        preprocessing=f"{DATA}/preprocessing.json",
        shards=shards_of("test"),
        classifier=f"{FINETUNE}/classifier.weights.h5",
        pretraining=of_pretraining("history.csv"),
    output:
        predictions=f"{EVALUATE}/predictions.parquet",
        metrics=f"{EVALUATE}/metrics.json",
        model=f"{EVALUATE}/classifier.keras",
    log:
        f"logs/evaluate/{CELL}.log",
    benchmark:
        f"logs/benchmarks/evaluate/{CELL}.tsv"
    conda:
        "../../envs/tensorflow-gpu.yaml"
    threads: config["cpu_threads"]
    resources:
        gpu=GPUS,
        mem_mb=memory_mb("test"),
        runtime=60,
    params:
        fields=lambda w: settings.arm_fields(config, w.arm, w.dataset),
        encoder=lambda w: settings.arm_encoder(config, w.arm, w.dataset),
        computing=settings.thread_settings(config),
        code=script_digest("evaluate"),
    message:
        "Evaluating {wildcards.arm} on the test set of {wildcards.dataset}"
    script:
        "../scripts/evaluate.py"
