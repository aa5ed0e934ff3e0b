rule train:
    """One run: a variant trained with a seed, then evaluated once on the test split."""
    input:
        unpack(
            tracked(
                check=lambda wildcards: RESOLVED.check_weights(wildcards.variant),
                data="<root>/data/meta.json",
                weights=lambda wildcards: RESOLVED.weights_lock(wildcards.variant),
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
        code=get_code,
        job=get_job("train", "runs"),
        checkpoints=f"{ROOT}/checkpoints/{{variant}}/seed{{seed}}",
        weights=get_weights,
        tensorboard=get_tensorboard,
        minutes=STUDY.config.checkpoint_minutes,
        graphs=str(STUDY.config.cuda_graphs).lower(),
    # Not `script:`, because torchrun starts the file once for each process.
    shell:
        "exec python -P {params.script:q} --job {params.job:q} --seed {wildcards.seed}"
        " --checkpoints={params.checkpoints:q} --weights={params.weights:q}"
        " --tensorboard={params.tensorboard:q} --checkpoint-minutes {params.minutes}"
        " --cuda-graphs {params.graphs}"
        " --gpus {resources.gpu} --threads {threads} --log-file={log:q}"


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
        code=get_code,
        job=get_job("profile_model", "profiles"),
    shell:
        "exec python -P {params.script:q} --job {params.job:q} --gpus {resources.gpu}"
        " --threads {threads} --log-file={log:q}"
