localrules:
    fetch_weights,
    model_cards,


rule fetch_weights:
    """Fetch pretrained weights, once: resumable, checked, and seen to fit their networks.

    The lock is the only output. Snakemake removes outputs before a job, and the weights may be the user's own file;
    `update` keeps the lock too, which says what the file has to be.
    """
    output:
        lock=update("{weights}.lock.json"),
    log:
        "{weights}.log",
    # Before any training, so that weights which cannot be had are known at once.
    priority: 10000
    conda:
        "../envs/bakeoff.yaml"
    params:
        spec=get_fetch_spec,
        file=get_fetched_file,
    shell:
        "python -m bakeoff fetch-weights --spec {params.spec} --out {params.file} --log-file {log}"


rule model_cards:
    """What each variant is, measured from the code: the table of all models, and a card for each."""
    input:
        spec=f"{MAIN.study.root}/specs/cards.json",
    output:
        table="docs/models.md",
        cards=expand("docs/models/{variant}.md", variant=MAIN.specs["cards"]["models"]),
    log:
        "resources/logs/model_cards.log",
    conda:
        "../envs/bakeoff.yaml"
    shell:
        "python -m bakeoff cards --spec {input.spec} --out docs --log-file {log}"
