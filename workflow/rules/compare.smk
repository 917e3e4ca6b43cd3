# All metrics become tables, each number with its uncertainty.


rule compare:
    input:
        metrics=cells(f"{EVALUATE}/metrics.json", settings.arm_titles(config)),
        predictions=cells(f"{EVALUATE}/predictions.parquet", settings.arm_titles(config)),
    output:
        table="results/comparison/auc_table.md",
        probes="results/comparison/probe_table.md",
        latex="results/comparison/auc_table.tex",
        csv="results/comparison/auc_table.csv",
        summary="results/comparison/auc_summary.csv",
        provenance=report(
            "results/comparison/provenance.json",
            caption="../report/provenance.rst",
            category="7 Provenance",
        ),
        configuration=report(
            "results/comparison/configuration.yaml",
            caption="../report/configuration.rst",
            category="6 Configuration",
        ),
    log:
        "logs/compare.log",
    benchmark:
        "logs/benchmarks/compare.tsv"
    localrule: True
    conda:
        "../../envs/tensorflow-cpu.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=60,
    params:
        settings=lambda w: settings.comparison_settings(config),
        code=script_digest("compare"),
    message:
        "Comparing"
    script:
        "../scripts/compare.py"


rule pages:
    input:
        summary="results/comparison/auc_summary.csv",
        provenance="results/comparison/provenance.json",
        shortcuts="results/comparison/shortcuts.csv",
    output:
        auc_table=page("auc_table", "1 Comparison"),
        probe_table=page("probe_table", "1 Comparison"),
        auc_summary=page("auc_summary", "1 Comparison"),
        shortcuts=page("shortcuts", "5 Data"),
        label_efficiency=[
            page(f"label_efficiency_{name}", "3 Features, labels, transfer")
            for name in settings.page_settings(config)["efficiency"]
        ],
    log:
        "logs/pages.log",
    benchmark:
        "logs/benchmarks/pages.tsv"
    localrule: True
    conda:
        "../../envs/tensorflow-cpu.yaml"
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        settings=lambda w: settings.page_settings(config),
        template=sha256_of(TEMPLATE),
        code=script_digest("pages"),
    message:
        "Making web pages of the tables"
    script:
        "../scripts/pages.py"
