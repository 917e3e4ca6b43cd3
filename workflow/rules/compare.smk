# All metrics become tables, each number with its uncertainty.


rule compare:
    input:
        metrics=cells(f"{EVALUATE}/metrics.json", settings.arm_titles(config)),
        predictions=cells(f"{EVALUATE}/predictions.parquet", settings.arm_titles(config)),
    output:
        table=report(
            "results/comparison/auc_table.md",
            caption="../report/auc_table.rst",
            category="1 Comparison",
        ),
        probes=report(
            "results/comparison/probe_table.md",
            caption="../report/probe_table.rst",
            category="1 Comparison",
        ),
        latex="results/comparison/auc_table.tex",
        csv="results/comparison/auc_table.csv",
        summary=report(
            "results/comparison/auc_summary.csv",
            caption="../report/auc_summary.rst",
            category="1 Comparison",
        ),
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
