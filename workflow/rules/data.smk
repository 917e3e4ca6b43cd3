# From the recipe of a simulated data set to catalogues and records, shard by shard; and of every data set, what
# its records hold and the preprocessing measured on them.


rule catalogue:
    output:
        catalogue=f"{DATA}/{{split}}/{{shard}}.parquet",
    log:
        "logs/catalogue/{dataset}/{split}/{shard}.log",
    wildcard_constraints:
        dataset=one_of(settings.names_from(config, settings.SIMULATION)),
    priority: PRIORITY["data"]
    conda:
        CPU_ENVIRONMENT
    resources:
        **of_job("catalogue"),
    params:
        recipe=settings_of_dataset,
        rows=lambda w: settings.drawn_shards(config, w.split)[int(w.shard)],
        code=code_of("catalogue"),
    message:
        "Drawing catalogue {wildcards.shard} of {wildcards.dataset}/{wildcards.split}"
    script:
        "../scripts/catalogue.py"


rule records:
    input:
        catalogue=f"{DATA}/{{split}}/{{shard}}.parquet",
    output:
        shard=f"{DATA}/{{split}}/{{shard}}.tfrecord",
        index=f"{DATA}/{{split}}/{{shard}}.index.parquet",
        facts=f"{DATA}/{{split}}/{{shard}}.json",
    log:
        "logs/records/{dataset}/{split}/{shard}.log",
    wildcard_constraints:
        dataset=one_of(settings.names_from(config, settings.SIMULATION)),
    priority: PRIORITY["data"]
    conda:
        CPU_ENVIRONMENT
    resources:
        **of_job("records"),
    params:
        recipe=settings_of_dataset,
        code=code_of("records"),
    message:
        "Rendering shard {wildcards.shard} of {wildcards.dataset}/{wildcards.split}"
    script:
        "../scripts/records.py"


rule manifest:
    input:
        **shard_files(*config["splits"]),
        facts=shards_of(*config["splits"], kind="json"),
    output:
        manifest=f"{DATA}/manifest.json",
    log:
        "logs/manifest/{dataset}.log",
    priority: PRIORITY["data"]
    conda:
        CPU_ENVIRONMENT
    resources:
        **of_job("manifest"),
    params:
        settings=settings_of_dataset,
        code=code_of("manifest"),
    message:
        "Listing and checking the records of {wildcards.dataset}"
    script:
        "../scripts/manifest.py"


rule preprocessing:
    input:
        **records_of("train"),
    output:
        preprocessing=f"{DATA}/preprocessing.json",
    log:
        "logs/preprocessing/{dataset}.log",
    priority: PRIORITY["data"]
    conda:
        CPU_ENVIRONMENT
    resources:
        **of_job("preprocessing"),
    params:
        settings=lambda w: settings.preprocessing_settings(config, w.dataset),
        code=code_of("preprocessing"),
    message:
        "Measuring the preprocessing of {wildcards.dataset} on its training split"
    script:
        "../scripts/preprocessing.py"


# Of a regression alone: a training that could not begin would be found out late.
rule targets:
    input:
        **indexes_of("train", "validation", "test"),
    output:
        targets=f"{DATA}/targets.json",
    log:
        "logs/targets/{dataset}.log",
    priority: PRIORITY["data"]
    localrule: True
    conda:
        CPU_ENVIRONMENT
    resources:
        mem_mb=1000,
    params:
        task=settings.task_settings(config),
        fractions=config["run"]["label_fractions"],
        own_images={seed: settings.own_images(config, seed) for seed in config["run"]["seeds"]},
        code=code_of("targets", LEARNED),
    message:
        "Measuring the targets of {wildcards.dataset}"
    script:
        "../scripts/targets.py"
