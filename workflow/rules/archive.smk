# From the files of an imported data set to catalogues and records, shard by shard.

ARCHIVES = one_of(settings.names_from(config, settings.IMPORT))


rule survey:
    input:
        watched=watched_of,
    output:
        images=f"{DATA}/images.parquet",
        rejects=f"{DATA}/rejects.csv",
    log:
        "logs/survey/{dataset}.log",
    wildcard_constraints:
        dataset=ARCHIVES,
    priority: PRIORITY["data"]
    conda:
        CPU_ENVIRONMENT
    resources:
        **of_job("survey"),
    params:
        archive=settings_of_dataset,
        code=code_of("survey"),
    message:
        "Finding and checking the images of {wildcards.dataset}"
    script:
        "../scripts/survey.py"


rule archive_catalogue:
    input:
        images=f"{DATA}/images.parquet",
    output:
        catalogue=f"{DATA}/{{split}}/{{shard}}.parquet",
    log:
        "logs/catalogue/{dataset}/{split}/{shard}.log",
    wildcard_constraints:
        dataset=ARCHIVES,
    priority: PRIORITY["data"]
    conda:
        CPU_ENVIRONMENT
    resources:
        **of_job("archive_catalogue"),
    params:
        shards=lambda w: settings.shard_count(config, w.dataset, w.split),
        code=code_of("archive_catalogue"),
    message:
        "Listing images of shard {wildcards.shard} of {wildcards.dataset}/{wildcards.split}"
    script:
        "../scripts/archive_catalogue.py"


rule archive_records:
    input:
        catalogue=f"{DATA}/{{split}}/{{shard}}.parquet",
    output:
        shard=f"{DATA}/{{split}}/{{shard}}.tfrecord",
        index=f"{DATA}/{{split}}/{{shard}}.index.parquet",
        facts=f"{DATA}/{{split}}/{{shard}}.json",
    log:
        "logs/records/{dataset}/{split}/{shard}.log",
    wildcard_constraints:
        dataset=ARCHIVES,
    priority: PRIORITY["data"]
    conda:
        CPU_ENVIRONMENT
    resources:
        **of_job("archive_records"),
    params:
        archive=settings_of_dataset,
        code=code_of("archive_records"),
    message:
        "Importing shard {wildcards.shard} of {wildcards.dataset}/{wildcards.split}"
    script:
        "../scripts/archive_records.py"


# Of encoders that are transferred from one archive to another.
rule apart:
    input:
        images=f"{DATA}/images.parquet",
        learned="results/data/{source}/images.parquet",
    output:
        apart=f"{DATA}/apart_from_{{source}}.json",
    log:
        "logs/apart/{dataset}/{source}.log",
    wildcard_constraints:
        dataset=ARCHIVES,
        source=ARCHIVES,
    priority: PRIORITY["data"]
    localrule: True
    conda:
        CPU_ENVIRONMENT
    resources:
        mem_mb=1000,
    params:
        code=code_of("apart"),
    message:
        "Comparing the test images of {wildcards.dataset} with what encoders from {wildcards.source} learn from"
    script:
        "../scripts/apart.py"
