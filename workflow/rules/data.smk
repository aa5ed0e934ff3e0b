rule download:
    """Fetch the official archive: resumable, checked before anything opens it."""
    output:
        archive="resources/cifar-100-binary.tar.gz",
    log:
        "resources/logs/download.log",
    # Before any training and measuring, so that an archive which is no good is known at once.
    priority: 10000
    conda:
        "../envs/bakeoff.yaml"
    params:
        spec=get_download_spec,
    shell:
        "python -m bakeoff download --spec {params.spec} --out {output.archive} --log-file {log}"


rule prepare:
    """Turn the archive (or nothing, for drawn data) into memory-mappable arrays."""
    input:
        unpack(
            tracked(
                "data",
                spec="{root}/specs/data.json",
                archive=get_archive,
            )
        ),
    output:
        meta="{root}/data/meta.json",
        arrays=expand(
            "{{root}}/data/{split}_{what}.npy",
            split=("train", "test"),
            what=("images", "fine", "coarse"),
        ),
        validation="{root}/data/validation_indices.npy",
    log:
        "{root}/logs/prepare.log",
    priority: 10000
    conda:
        "../envs/bakeoff.yaml"
    shell:
        "python -m bakeoff prepare --spec {input.spec} --out {wildcards.root}/data"
        " --record {wildcards.root} data --log-file {log} --archive {input.archive}"
