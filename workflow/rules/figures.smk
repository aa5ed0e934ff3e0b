rule plot:
    """One figure, from the tables and runs that its module says it reads."""
    input:
        unpack(
            tracked(files=lambda wildcards: RESOLVED.figure_files(wildcards.figure)),
        ),
    output:
        png=report(
            update("<root>/figures/{figure}.png"),
            caption="../report/figure.rst",
            category=lambda wildcards: RESOLVED.figures[wildcards.figure].category,
        ),
        svg=update("<root>/figures/{figure}.svg"),
        pdf=update("<root>/figures/{figure}.pdf"),
        record=update("<root>/records/figures/{figure}.json"),
    log:
        "<root>/logs/plot/{figure}.log",
    localrule: True
    conda:
        "../envs/bakeoff.yaml"
    params:
        code=lambda wildcards: [f"bakeoff.figures.{wildcards.figure}"],
        caption=lambda wildcards: RESOLVED.figures[wildcards.figure].caption,
    script:
        "../scripts/plot.py"
