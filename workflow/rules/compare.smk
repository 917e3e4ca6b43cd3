# All metrics become tables, each number with its uncertainty.


rule compare:
    input:
        metrics=cells(f"{EVALUATE}/metrics.json", settings.arm_titles(config)),
        predictions=cells(f"{EVALUATE}/predictions.parquet", settings.arm_titles(config)),
    output:
        table=in_report("auc_table.md", "auc_table", "1 Comparison"),
        probes=in_report("probe_table.md", "probe_table", "1 Comparison"),
        latex="results/comparison/auc_table.tex",
        csv="results/comparison/auc_table.csv",
        summary=in_report("auc_summary.csv", "auc_summary", "1 Comparison"),
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
