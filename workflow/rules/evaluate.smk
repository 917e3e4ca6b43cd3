# The whole test set, each image once, with its features; the validation set, that a temperature is fitted on;
# and the classifier as one file for others to use.


rule evaluate:
    input:
        **records_of("validation", "test"),
        preprocessing=f"{DATA}/preprocessing.json",
        classifier=f"{FINETUNE}/classifier.weights.h5",
        provenance=f"{FINETUNE}/provenance.json",
        history=f"{FINETUNE}/history.csv",
        pretraining=of_pretraining("history.csv"),
    output:
        predictions=f"{EVALUATE}/predictions.parquet",
        validation=f"{EVALUATE}/validation.parquet",
        features=f"{EVALUATE}/features.npy",
        metrics=f"{EVALUATE}/metrics.json",
        model=f"{EVALUATE}/classifier.keras",
    log:
        f"logs/evaluate/{CELL}.log",
    wildcard_constraints:
        arm=one_of(TRAINED_ARMS),
    priority: PRIORITY["evaluation"]
    conda:
        GPU_ENVIRONMENT
    threads: config["cpu_threads"]
    resources:
        **of_job("evaluate"),
    params:
        fields=lambda w: settings.arm_fields(config, w.arm, w.dataset) | own_images(w),
        settings=lambda w: settings.evaluation_settings(config, w.arm, w.dataset) | own_images(w),
        code=code_with_encoder("evaluate", LEARNED),
    message:
        "Evaluating {wildcards.arm} on the test set of {wildcards.dataset}"
    script:
        "../scripts/evaluate.py"
