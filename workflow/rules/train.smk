def get_weights(wildcards):
    """Return the file of pretrained weights that a run starts from; nothing for a run from scratch."""
    return [str(path) for path in [LAYOUT.weights.get(wildcards.variant)] if path]


def get_tensorboard(wildcards):
    folder = f"{ROOT}/tensorboard/{wildcards.variant}/seed{wildcards.seed}"
    return [folder] if config.get("tensorboard") else []


rule train:
    """One run: a variant trained with a seed, then evaluated once on the test split."""
    input:
        unpack(
            tracked(
                check=lambda wildcards: LAYOUT.check_weights(wildcards.variant),
                data="<root>/data/meta.json",
                weights=lambda wildcards: LAYOUT.weights_lock(wildcards.variant),
            )
        ),
    output:
        metrics=update("<root>/runs/{variant}/seed{seed}/metrics.json"),
        history=update("<root>/runs/{variant}/seed{seed}/history.csv"),
        predictions=update("<root>/runs/{variant}/seed{seed}/predictions.npz"),
        model=update("<root>/runs/{variant}/seed{seed}/model.safetensors"),
        provenance=update("<root>/runs/{variant}/seed{seed}/provenance.json"),
        record=update("<root>/records/runs/{variant}/seed{seed}.json"),
    log:
        "<root>/logs/train/{variant}/seed{seed}.log",
    priority: get_priority
    group:
        get_group
    conda:
        "../envs/bakeoff.yaml"
    threads: 1
    resources:
        gpu=get_gpus,
        runtime=get_runtime,
        mem_mb=8000,
        # Runs that share a job take turns, where a profile says so: `set-resource-scopes: [turn=local]` and
        # `resources: [turn=1]`. Otherwise this means nothing.
        turn=1,
    params:
        script=str(SCRIPTS / "train.py"),
        root=ROOT,
        spec=f"{ROOT}/specs/runs/{{variant}}.json",
        code=lambda wildcards: LAYOUT.builder_code(wildcards.variant),
        checkpoints=f"{ROOT}/checkpoints/{{variant}}/seed{{seed}}",
        weights=get_weights,
        tensorboard=get_tensorboard,
    # Not `script:`, because torchrun starts the file once for each process.
    shell:
        "exec python {params.script:q} --root {params.root:q}"
        " --spec {params.spec:q} --code {params.code:q} --reads {input:q} --writes {output:q}"
        " --record {output.record:q}"
        " --seed {wildcards.seed} --checkpoints {params.checkpoints:q}"
        " --weights {params.weights:q} --tensorboard {params.tensorboard:q}"
        " --gpus {resources.gpu} --threads {threads} --log-file {log:q}"


rule profile_model:
    """What a variant costs at inference: parameters, MACs, latency, throughput."""
    input:
        unpack(tracked()),
    output:
        profile=update("<root>/profiles/{variant}.json"),
        record=update("<root>/records/profiles/{variant}.json"),
    log:
        "<root>/logs/profile_model/{variant}.log",
    conda:
        "../envs/bakeoff.yaml"
    threads: 1
    resources:
        gpu=1,
        mem_mb=4000,
    params:
        script=str(SCRIPTS / "profile_model.py"),
        root=ROOT,
        spec=f"{ROOT}/specs/profiles/{{variant}}.json",
        code=lambda wildcards: LAYOUT.builder_code(wildcards.variant),
    shell:
        "exec python {params.script:q} --root {params.root:q}"
        " --spec {params.spec:q} --code {params.code:q} --writes {output:q}"
        " --record {output.record:q}"
        " --gpus {resources.gpu} --threads {threads} --log-file {log:q}"
