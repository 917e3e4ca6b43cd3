# All metrics become tables, each number with its uncertainty.


rule compare:
    input:
        metrics=cells(f"{EVALUATE}/metrics.json", rows.arm_titles(config)),
        predictions=cells(f"{EVALUATE}/predictions.parquet", rows.arm_titles(config)),
    output:
        table=f"results/comparison/{TRAITS.measure}_table.md",
        probes="results/comparison/probe_table.md",
        latex=f"results/comparison/{TRAITS.measure}_table.tex",
        csv=f"results/comparison/{TRAITS.measure}_table.csv",
        summary=COMPARED["summary"],
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
        settings=lambda w: outputs.comparison_settings(config),
        code=code_of("compare", *WRITTEN),
    message:
        "Comparing"
    script:
        "../scripts/compare.py"


rule pages:
    input:
        **COMPARED,
        csv=f"results/comparison/{TRAITS.measure}_table.csv",
        shortcuts=["results/comparison/shortcuts.csv"] if TRAITS.needs_classes else [],
    output:
        table=in_report(f"{TRAITS.measure}_table.html", f"{TRAITS.measure}_table", "1 Comparison"),
        probes=in_report("probe_table.html", "probe_table", "1 Comparison"),
        summary=in_report(
            f"{TRAITS.measure}_summary.html", f"{TRAITS.measure}_summary", "1 Comparison"
        ),
        shortcuts=(
            [in_report("shortcuts.html", "shortcuts", "5 Data")] if TRAITS.needs_classes else []
        ),
        label_efficiency=[
            in_report(
                f"label_efficiency_{name}.html", "label_efficiency", "3 Features, labels, transfer"
            )
            for name in outputs.page_settings(config)["efficiency"]
        ],
    log:
        "logs/pages.log",
    localrule: True
    conda:
        CPU_ENVIRONMENT
    resources:
        mem_mb=1000,
    params:
        settings=lambda w: outputs.page_settings(config),
        template=sha256_of(TEMPLATE),
        code=code_of("pages", *WRITTEN),
    message:
        "Making web pages of the tables"
    script:
        "../scripts/pages.py"
