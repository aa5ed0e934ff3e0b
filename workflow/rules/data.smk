rule download:
    """Fetch the official archive: resumable, checked before anything opens it."""
    output:
        archive=update("resources/cifar-100-binary.tar.gz"),
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
    """Turn the archive (or nothing, for drawn data) into memory-mappable arrays."""
    input:
        unpack(
            tracked(
                check=lambda wildcards: LAYOUT.check_archive(),
                archive=LAYOUT.archive(),
            )
        ),
    output:
        meta=update("<root>/data/meta.json"),
        arrays=update(
            expand(
                "<root>/data/{split}_{what}.npy",
                split=("train", "test"),
                what=("images", "fine", "coarse"),
            )
        ),
        validation=update("<root>/data/validation_indices.npy"),
        record=update("<root>/records/data.json"),
    log:
        "<root>/logs/prepare.log",
    priority: 10000
    localrule: True
    conda:
        "../envs/bakeoff.yaml"
    script:
        "../scripts/prepare.py"
