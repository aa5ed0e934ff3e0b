if STUDY.data.fetched():

    rule download:
        """Fetch the official archive: resumable, checked before anything opens it."""
        output:
            archive=update(str(STUDY.data.fetched())),
        log:
            "resources/logs/download.log",
        # Before any training and measuring, so that an archive which is no good is known at once.
        priority: 10000
        localrule: True
        conda:
            "../envs/bakeoff.yaml"
        params:
            spec="download",
        script:
            "../scripts/download.py"


rule prepare:
    """Turn what the data are read from (or nothing, for drawn data) into memory-mappable arrays."""
    input:
        unpack(
            tracked(
                check=lambda wildcards: STUDY.data.check(),
                sources=RESOLVED.data_sources(),
            )
        ),
    output:
        meta=update("<root>/data/meta.json"),
        arrays=update(RESOLVED.data_arrays()),
        duplicates=update("<root>/data/duplicates.csv"),
        near_copies=update("<root>/data/near_copies.csv"),
        reading=update("<root>/data/reading.json"),
        record=update("<root>/records/data.json"),
    log:
        "<root>/logs/prepare.log",
    priority: 10000
    localrule: True
    conda:
        "../envs/bakeoff.yaml"
    params:
        code=RESOLVED.data_code(),
    script:
        "../scripts/prepare.py"


rule data_card:
    """What the images are: a page of Markdown and a figure. It shows images, and is no part of an archive."""
    input:
        unpack(
            tracked(
                meta="<root>/data/meta.json",
                reading="<root>/data/reading.json",
                near_copies="<root>/data/near_copies.csv",
            )
        ),
    output:
        card=update("<root>/data_card/data_card.md"),
        figure=update("<root>/data_card/data_card.png"),
        record=update("<root>/records/data_card.json"),
    log:
        "<root>/logs/data_card.log",
    localrule: True
    conda:
        "../envs/bakeoff.yaml"
    script:
        "../scripts/data_card.py"
