"""Where results come from, and the study in one file for others."""


rule provenance:
    """Link each table, figure and slide to its runs, and those to configuration, code and data: an RO-Crate."""
    input:
        unpack(
            tracked(
                "provenance",
                spec="{root}/specs/provenance.json",
                products=get_products,
            )
        ),
    output:
        crate="{root}/provenance/ro-crate-metadata.json",
    log:
        "{root}/logs/provenance.log",
    localrule: True
    conda:
        "../envs/bakeoff.yaml"
    shell:
        "python -m bakeoff provenance --spec {input.spec} --root {wildcards.root}"
        " --record {wildcards.root} provenance --log-file {log}"


rule trace:
    """Show the runs behind a number or a file: snakemake trace --config number=71.3, or file=results/figures/..."""
    log:
        "resources/logs/trace.log",
    localrule: True
    conda:
        "../envs/bakeoff.yaml"
    params:
        words=[
            ASKED.file or f"{MAIN.study.root}/slides/deck.en.pptx",
            *(
                f"--{key}={value}"
                for key, value in (("number", ASKED.number), ("slide", ASKED.slide))
                if value
            ),
        ],
    shell:
        "python -m bakeoff trace {params.words:q} 2>&1 | tee {log}"


rule archive:
    """Pack the main study into one file, from which others draw its figures without training; --config with_weights=true"""
    input:
        study_targets(MAIN),
    log:
        f"{MAIN.study.root}/logs/archive.log",
    localrule: True
    conda:
        "../envs/bakeoff.yaml"
    params:
        weights="--weights" if ASKED.with_weights else "",
    shell:
        f"python -m bakeoff archive --root {MAIN.study.root}"
        f" --out {MAIN.study.root}/archive/{MAIN.study.name}.tar.gz"
        " {params.weights} 2>&1 | tee {log}"
