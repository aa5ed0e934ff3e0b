rule train:
    """One run: a variant trained with a seed, then evaluated once on the test split."""
    input:
        unpack(
            tracked(
                "runs/{variant}/seed{seed}",
                spec="{root}/specs/runs/{variant}.json",
                data="{root}/data/meta.json",
                weights=get_weights_lock,
            )
        ),
    output:
        metrics="{root}/runs/{variant}/seed{seed}/metrics.json",
        history="{root}/runs/{variant}/seed{seed}/history.csv",
        predictions="{root}/runs/{variant}/seed{seed}/predictions.npz",
        model="{root}/runs/{variant}/seed{seed}/model.safetensors",
        provenance="{root}/runs/{variant}/seed{seed}/provenance.json",
    log:
        "{root}/logs/train/{variant}/seed{seed}.log",
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
        weights=get_weights_file,
        tensorboard=get_tensorboard,
        checkpoint_minutes=get_checkpoint_minutes,
    shell:
        "exec python -m bakeoff train --spec {input.spec} --seed {wildcards.seed}"
        " --data {wildcards.root}/data"
        " --out {wildcards.root}/runs/{wildcards.variant}/seed{wildcards.seed}"
        " --checkpoints {wildcards.root}/checkpoints/{wildcards.variant}/seed{wildcards.seed}"
        " --weights {params.weights} --tensorboard {params.tensorboard}"
        " --checkpoint-minutes {params.checkpoint_minutes}"
        " --gpus {resources.gpu} --threads {threads}"
        " --record {wildcards.root} runs/{wildcards.variant}/seed{wildcards.seed} --log-file {log}"


rule profile_model:
    """What a variant costs at inference: parameters, MACs, latency, throughput."""
    input:
        unpack(
            tracked(
                "profiles/{variant}",
                spec="{root}/specs/profiles/{variant}.json",
            )
        ),
    output:
        profile="{root}/profiles/{variant}.json",
    log:
        "{root}/logs/profile_model/{variant}.log",
    conda:
        "../envs/bakeoff.yaml"
    threads: 1
    resources:
        gpu=1,
        mem_mb=4000,
    shell:
        "exec python -m bakeoff profile --spec {input.spec} --out {output.profile}"
        " --gpus {resources.gpu} --threads {threads}"
        " --record {wildcards.root} profiles/{wildcards.variant} --log-file {log}"
