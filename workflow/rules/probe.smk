# What a frozen encoder has learned without labels: its features, once for every data set, and the classifiers that
# are fitted to them.


rule features:
    input:
        **records_of("train", "validation", "test"),
        apart=apart_of,
        preprocessing=f"{DATA}/preprocessing.json",
        encoder=of_pretraining("encoder.weights.h5"),
        pretraining=of_pretraining("provenance.json"),
    output:
        train=f"{FEATURES}/train.npy",
        validation=f"{FEATURES}/validation.npy",
        test=f"{FEATURES}/test.npy",
        model=f"{FEATURES}/encoder.keras",
        provenance=f"{FEATURES}/provenance.json",
    log:
        "logs/features/{dataset}/{encoder}/seed-{seed}.log",
    priority: PRIORITY["evaluation"]
    conda:
        GPU_ENVIRONMENT
    threads: config["cpu_threads"]
    resources:
        **of_job("features"),
    params:
        settings=lambda w: settings.features_settings(config, w.encoder, w.dataset) | own_images(w),
        code=code_with_encoder("features"),
    message:
        "Computing the features of {wildcards.encoder} on {wildcards.dataset}, seed {wildcards.seed}"
    script:
        "../scripts/features.py"


rule probe:
    input:
        **indexes_of("train", "validation", "test"),
        preprocessing=f"{DATA}/preprocessing.json",
        targets=targets_of,
        train=of_features("train.npy"),
        validation=of_features("validation.npy"),
        test=of_features("test.npy"),
        provenance=of_features("provenance.json"),
        pretraining=of_pretraining("history.csv"),
    output:
        probe=f"{PROBE}/probe.npz",
        history=f"{PROBE}/history.csv",
        predictions=f"{EVALUATE}/predictions.parquet",
        validation=f"{EVALUATE}/validation.parquet",
        metrics=f"{EVALUATE}/metrics.json",
    log:
        f"logs/probe/{CELL}.log",
    wildcard_constraints:
        arm=one_of(FROZEN_ARMS),
    priority: PRIORITY["evaluation"]
    conda:
        CPU_ENVIRONMENT
    threads: config["cpu_threads"]
    resources:
        **of_job("probe"),
    params:
        fields=lambda w: settings.arm_fields(config, w.arm, w.dataset) | own_images(w),
        settings=lambda w: settings.probe_settings(config, w.arm, w.dataset) | own_images(w),
        code=code_of("probe", *PROBED),
    message:
        "Probing features: {wildcards.arm} on {wildcards.dataset}, seed {wildcards.seed}"
    script:
        "../scripts/probe.py"


# No other rule needs this file; it is made when it is asked for by its name.
rule export_probe:
    input:
        **records_of("train"),
        preprocessing=f"{DATA}/preprocessing.json",
        encoder=of_pretraining("encoder.weights.h5"),
        probe=f"{PROBE}/probe.npz",
        metrics=f"{EVALUATE}/metrics.json",
    output:
        model=f"{EVALUATE}/classifier.keras",
    log:
        f"logs/export_probe/{CELL}.log",
    wildcard_constraints:
        arm=one_of(FROZEN_ARMS),
    conda:
        GPU_ENVIRONMENT
    threads: config["cpu_threads"]
    resources:
        **of_job("export_probe"),
    params:
        settings=lambda w: settings.probe_settings(config, w.arm, w.dataset) | own_images(w),
        encoder=lambda w: settings.arm_encoder(config, w.arm, w.dataset),
        code=code_with_encoder("export_probe", *PROBED),
    message:
        "Exporting the probe {wildcards.arm} of {wildcards.dataset}"
    script:
        "../scripts/export_probe.py"
