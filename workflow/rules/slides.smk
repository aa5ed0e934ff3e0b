rule deck:
    """The talk, in one language; every number on it comes from the tables."""
    input:
        unpack(
            tracked(
                meta="<root>/data/meta.json",
                comparison=expand(
                    "<root>/comparison/{table}.csv",
                    table=("models", "pairwise", "runs"),
                ),
                ablations=ABLATIONS,
                claims="<root>/claims/claims.csv",
                runs=RESOLVED.run_files(
                    ("metrics.json", "provenance.json"), RESOLVED.seeds
                ),
                figures=comparison_runs("history.csv", "predictions.npz"),
                logo=STUDY.talk.logo or [],
            )
        ),
    output:
        deck=update("<root>/slides/deck.{language}.pptx"),
        pictures=update(
            expand(
                "<root>/slides/assets/{figure}.{{language}}.png",
                figure=RESOLVED.pictures,
            )
        ),
        numbers=update("<root>/slides/assets/numbers.{language}.json"),
        notes=update("<root>/slides/assets/notes.{language}.md"),
        record=update("<root>/records/slides/{language}.json"),
    log:
        "<root>/logs/deck/{language}.log",
    localrule: True
    conda:
        "../envs/bakeoff.yaml"
    params:
        code=[f"bakeoff.figures.{figure}" for figure in RESOLVED.pictures],
        steps=lambda wildcards: state().jobs.steps(f"slides/{wildcards.language}"),
    script:
        "../scripts/deck.py"


rule deck_pdf:
    """The talk's pages as a PDF file, where LibreOffice is; asked for by the target `pdf`."""
    input:
        deck="<root>/slides/deck.{language}.pptx",
    output:
        pdf=update("<root>/slides/deck.{language}.pdf"),
    log:
        "<root>/logs/deck_pdf/{language}.log",
    localrule: True
    conda:
        "../envs/bakeoff.yaml"
    params:
        spec=lambda wildcards: f"slides/{wildcards.language}",
    script:
        "../scripts/deck_pdf.py"


rule pdf:
    input:
        expand("<root>/slides/deck.{language}.pdf", language=LANGUAGES),
