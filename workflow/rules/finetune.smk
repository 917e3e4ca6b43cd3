# The whole network learns the labels.


rule finetune:
    input:
        **records_of("train", "validation"),
        preprocessing=f"{DATA}/preprocessing.json",
        targets=targets_of,
        apart=apart_of,
        encoder=of_pretraining("encoder.weights.h5"),
        pretraining=of_pretraining("provenance.json"),
    output:
        classifier=f"{FINETUNE}/classifier.weights.h5",
        history=f"{FINETUNE}/history.csv",
        provenance=f"{FINETUNE}/provenance.json",
    log:
        f"logs/finetune/{CELL}.log",
    wildcard_constraints:
        arm=one_of(TRAINED_ARMS),
    priority: PRIORITY["finetuning"]
    retries: RETRIES
    conda:
        GPU_ENVIRONMENT
    threads: config["cpu_threads"]
    resources:
        **of_job("finetune"),
    params:
        settings=lambda w: settings.arm_settings(config, w.arm, w.dataset) | own_images(w),
        checkpoint=f"{PREFIX}finetune/{CELL}",
        # the folder alone: whether it is used is no parameter, since it changes no result
        tensorboard=f"{PREFIX}logs/tensorboard/finetune/{CELL}",
        code=finetuning_code,
    message:
        "Learning the labels: {wildcards.arm} on {wildcards.dataset}, seed {wildcards.seed}"
    script:
        "../scripts/finetune.py"
