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
    localrule: True
    conda:
        "../envs/bakeoff.yaml"
    params:
        # Functions of `output`, which Snakemake does not track: what the weights are is in their lock.
        file=lambda wildcards, output: str(RESOLVED.fetches[output.lock][0]),
        spec=lambda wildcards, output: RESOLVED.fetches[output.lock][1],
    script:
        "../scripts/fetch_weights.py"


rule model_cards:
    """What each variant is, measured from the code: the table of all models, and a card for each."""
    output:
        table=update("docs/models.md"),
        cards=update(
            expand(
                "docs/models/{variant}.md", variant=RESOLVED.specs["cards"]["models"]
            )
        ),
    log:
        "resources/logs/model_cards.log",
    localrule: True
    conda:
        "../envs/bakeoff.yaml"
    params:
        spec="cards",
    script:
        "../scripts/model_cards.py"
