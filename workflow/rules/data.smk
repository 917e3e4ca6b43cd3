# From the recipe of a data set to records, and what the preprocessing measured on them.


rule catalogue:
    output:
        catalogue=f"{DATA}/{{split}}/catalogue.parquet",
    log:
        "logs/catalogue/{dataset}/{split}.log",
    benchmark:
        "logs/benchmarks/catalogue/{dataset}/{split}.tsv"
    conda:
        "../../envs/tensorflow-cpu.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=30,
    params:
        recipe=lambda w: {k: v for k, v in config["datasets"][w.dataset].items() if k != "title"},
        images=lambda w: config["splits"][w.split]["images"],
        code=code_digest("catalogue", "runtime"),
    message:
        "Drawing the {wildcards.split} catalogue of {wildcards.dataset}"
    script:
        "../scripts/catalogue.py"


rule records:
    input:
        catalogue=f"{DATA}/{{split}}/catalogue.parquet",
    output:
        shard=f"{DATA}/{{split}}/{{shard}}-of-{{shards}}.tfrecord",
    log:
        "logs/records/{dataset}/{split}/{shard}-of-{shards}.log",
    benchmark:
        "logs/benchmarks/records/{dataset}/{split}/{shard}-of-{shards}.tsv"
    conda:
        "../../envs/tensorflow-cpu.yaml"
    threads: 1
    resources:
        mem_mb=1500,
        runtime=240,
    params:
        recipe=lambda w: {k: v for k, v in config["datasets"][w.dataset].items() if k != "title"},
        code=code_digest("simulation", "records", "runtime"),
    message:
        "Rendering shard {wildcards.shard} of {wildcards.dataset}/{wildcards.split}"
    script:
        "../scripts/records.py"


rule manifest:
    input:
        shards=shards_of(*config["splits"]),
    output:
        manifest=f"{DATA}/manifest.json",
    log:
        "logs/manifest/{dataset}.log",
    benchmark:
        "logs/benchmarks/manifest/{dataset}.tsv"
    conda:
        "../../envs/tensorflow-cpu.yaml"
    threads: 1
    resources:
        mem_mb=1500,
        runtime=60,
    params:
        code=code_digest("records", "runtime"),
    message:
        "Listing and checking the records of {wildcards.dataset}"
    script:
        "../scripts/manifest.py"


rule preprocessing:
    input:
        manifest=f"{DATA}/manifest.json",
        shards=shards_of("train"),
    output:
        preprocessing=f"{DATA}/preprocessing.json",
    log:
        "logs/preprocessing/{dataset}.log",
    benchmark:
        "logs/benchmarks/preprocessing/{dataset}.tsv"
    conda:
        "../../envs/tensorflow-cpu.yaml"
    threads: 1
    resources:
        mem_mb=memory_mb("train"),
        runtime=60,
    params:
        settings=lambda w: settings.preprocessing_settings(config, w.dataset),
        code=code_digest("records", "preprocessing", "runtime"),
    message:
        "Measuring the preprocessing of {wildcards.dataset} on its training split"
    script:
        "../scripts/preprocessing.py"
