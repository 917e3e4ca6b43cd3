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
        provenance=in_report("provenance.json", "provenance", "7 Provenance"),
        configuration=in_report("configuration.yaml", "configuration", "6 Configuration"),
    log:
        "logs/compare.log",
    localrule: True
    conda:
        CPU_ENVIRONMENT
    resources:
        mem_mb=2000,
    params:
        settings=lambda w: settings.comparison_settings(config),
        code=script_digest("compare"),
    message:
        "Comparing"
    script:
        "../scripts/compare.py"


rule pages:
    input:
        **COMPARED,
        shortcuts="results/comparison/shortcuts.csv",
    output:
        auc_table=in_report("auc_table.html", "auc_table", "1 Comparison"),
        probe_table=in_report("probe_table.html", "probe_table", "1 Comparison"),
        auc_summary=in_report("auc_summary.html", "auc_summary", "1 Comparison"),
        shortcuts=in_report("shortcuts.html", "shortcuts", "5 Data"),
        label_efficiency=[
            in_report(
                f"label_efficiency_{name}.html", "label_efficiency", "3 Features, labels, transfer"
            )
            for name in settings.page_settings(config)["efficiency"]
        ],
    log:
        "logs/pages.log",
    localrule: True
    conda:
        CPU_ENVIRONMENT
    resources:
        mem_mb=1000,
    params:
        settings=lambda w: settings.page_settings(config),
        template=sha256_of(TEMPLATE),
        code=script_digest("pages"),
    message:
        "Making web pages of the tables"
    script:
        "../scripts/pages.py"
