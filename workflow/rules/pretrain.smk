# An encoder learns from unlabelled views; validation images tell how it does, and decide nothing.


rule pretrain:
    input:
        **records_of("train", "validation"),
        preprocessing=f"{DATA}/preprocessing.json",
        targets=targets_of,
    output:
        encoder=f"{PRETRAIN}/encoder.weights.h5",
        history=f"{PRETRAIN}/history.csv",
        provenance=f"{PRETRAIN}/provenance.json",
    log:
        "logs/pretrain/{dataset}/{pretraining}/seed-{seed}.log",
    wildcard_constraints:
        pretraining=one_of(set(PRETRAININGS) - set(RECONSTRUCTING)),
    priority: PRIORITY["pretraining"]
    retries: RETRIES
    conda:
        GPU_ENVIRONMENT
    threads: config["cpu_threads"]
    resources:
        **of_job("pretrain"),
    params:
        settings=lambda w: settings.pretraining_settings(config, w.pretraining, w.dataset)
        | own_images(w),
        checkpoint=f"{PREFIX}pretrain/{{dataset}}/{{pretraining}}/seed-{{seed}}",
        # the folder alone: whether it is used is no parameter, since it changes no result
        tensorboard=f"{PREFIX}logs/tensorboard/pretrain/{{dataset}}/{{pretraining}}/seed-{{seed}}",
        code=pretraining_code,
    message:
        "Pretraining {wildcards.pretraining} on {wildcards.dataset}, seed {wildcards.seed}"
    script:
        "../scripts/pretrain.py"


use rule pretrain as pretrain_reconstructing with:
    output:
        encoder=f"{PRETRAIN}/encoder.weights.h5",
        history=f"{PRETRAIN}/history.csv",
        provenance=f"{PRETRAIN}/provenance.json",
        pictures=f"{PRETRAIN}/pictures.npz",
    wildcard_constraints:
        pretraining=one_of(RECONSTRUCTING),


# An encoder that was exported elsewhere. It goes first: one that does not fit stops the run before it has trained.
rule import_encoder:
    input:
        manifest=f"{DATA}/manifest.json",
        preprocessing=f"{DATA}/preprocessing.json",
        file=lambda w: settings.import_settings(config, w.pretraining, w.dataset)["file"],
    output:
        encoder=f"{PRETRAIN}/encoder.weights.h5",
        provenance=f"{PRETRAIN}/provenance.json",
    log:
        "logs/import_encoder/{dataset}/{pretraining}/seed-{seed}.log",
    wildcard_constraints:
        pretraining=one_of(IMPORTED),
    priority: PRIORITY["data"]
    conda:
        GPU_ENVIRONMENT
    threads: config["cpu_threads"]
    resources:
        **of_job("import_encoder"),
    params:
        settings=lambda w: settings.import_settings(config, w.pretraining, w.dataset)
        | own_images(w),
        sha256=lambda w, input: sha256_of(input.file),
        code=code_with_encoder("import_encoder"),
    message:
        "Reading the encoder {input.file} for {wildcards.dataset}"
    script:
        "../scripts/import_encoder.py"
