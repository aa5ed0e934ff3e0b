"""Where results come from, and the study in one file for others."""


rule provenance:
    """Link each table, figure and slide to its runs, and those to configuration, code and data: an RO-Crate."""
    input:
        unpack(
            tracked(
                meta="<root>/data/meta.json",
                runs=RESOLVED.run_files(("provenance.json",), RESOLVED.seeds),
                decks=SLIDES,
                numbers=expand(
                    "<root>/slides/assets/numbers.{language}.json", language=LANGUAGES
                ),
                # A record holds the digests of all files of its job.
                records=[
                    f"<root>/records/{job}.json"
                    for job in RESOLVED.specs["provenance"]["jobs"]
                ],
            )
        ),
    output:
        crate=update("<root>/provenance/ro-crate-metadata.json"),
        record=update("<root>/records/provenance.json"),
    log:
        "<root>/logs/provenance.log",
    localrule: True
    conda:
        "../envs/bakeoff.yaml"
    script:
        "../scripts/provenance.py"


rule trace:
    """Show the runs behind a number or a file: snakemake trace --config number=71.3, or file=results/figures/..."""
    log:
        "resources/logs/trace.log",
    localrule: True
    conda:
        "../envs/bakeoff.yaml"
    params:
        words=[
            *(
                f"--{key}={value}"
                for key, value in (("number", ASKED.number), ("slide", ASKED.slide))
                if value
            ),
            "--",
            ASKED.file or f"{ROOT}/slides/deck.en.pptx",
        ],
    shell:
        "python -m bakeoff trace {params.words:q} 2>&1 | tee -- {log:q}"


rule archive:
    """Pack the study into one file, from which others draw its figures without training; --config with_weights=true"""
    input:
        PRODUCTS,
        "<root>/provenance/ro-crate-metadata.json",
    log:
        "<root>/logs/archive.log",
    localrule: True
    conda:
        "../envs/bakeoff.yaml"
    params:
        words=[
            f"--root={ROOT}",
            f"--out={ROOT}/archive/{STUDY.name}.tar.gz",
            *(["--weights"] if ASKED.with_weights else []),
        ],
    shell:
        "python -m bakeoff archive {params.words:q} 2>&1 | tee -- {log:q}"
