# An encoder learns from unlabelled views; validation images tell how it does, and decide nothing.


rule pretrain:
    input:
        manifest=f"{DATA}/manifest.json",
        preprocessing=f"{DATA}/preprocessing.json",
        shards=shards_of("train", "validation"),
    output:
        encoder=f"{PRETRAIN}/encoder.weights.h5",
        history=f"{PRETRAIN}/history.csv",
        provenance=f"{PRETRAIN}/provenance.json",
    log:
        "logs/pretrain/{dataset}/{pretraining}/seed-{seed}.log",
    benchmark:
        "logs/benchmarks/pretrain/{dataset}/{pretraining}/seed-{seed}.tsv"
    retries: RETRIES
    conda:
        "../../envs/tensorflow-gpu.yaml"
    threads: config["cpu_threads"]
    resources:
        gpu=TRAINING_GPUS,
        mem_mb=megabytes(
            lambda w, input: resources.pretraining_mb(
                config,
                w.pretraining,
                w.dataset,
                images_of(w.dataset, input, "train", "validation"),
                TRAINING_GPUS,
            )
        ),
        runtime=minutes(pretraining_seconds),
        estimated_seconds=pretraining_seconds,
    params:
        settings=lambda w: settings.pretraining_settings(config, w.pretraining, w.dataset),
        computing=settings.computing_settings(config),
        checkpoint=f"{PREFIX}pretrain/{{dataset}}/{{pretraining}}/seed-{{seed}}",
        # the folder alone: whether it is used is no parameter, since it changes no result
        tensorboard=f"{PREFIX}logs/tensorboard/pretrain/{{dataset}}/{{pretraining}}/seed-{{seed}}",
        code=pretraining_code,
    message:
        "Pretraining {wildcards.pretraining} on {wildcards.dataset}, seed {wildcards.seed}"
    script:
        "../scripts/pretrain.py"
