from bakeoff.jobs.frame import JobSpec
from bakeoff.launch.command import job_text, texts


def get_code(wildcards):
    """Return what the scripts import by name: the module, or the user's file, of the variant's network."""
    return LAYOUT.builder_code(wildcards.variant)


def get_job(name, spec):
    """Return the function that puts a job of the rule `name` into one word of its command line."""

    def get(wildcards, input, output):
        job = JobSpec(
            name,
            ROOT,
            f"{ROOT}/specs/{spec}/{wildcards.variant}.json",
            record=str(output.record),
            code=get_code(wildcards),
            reads=texts(input),
            writes=texts(output),
        )
        return job_text(job)

    return get


def get_weights(wildcards):
    """Return the file of pretrained weights that a run starts from; nothing for a run from scratch."""
    return str(LAYOUT.weights.get(wildcards.variant, ""))


def get_tensorboard(wildcards):
    folder = f"{ROOT}/tensorboard/{wildcards.variant}/seed{wildcards.seed}"
    return folder if STUDY.config.tensorboard else ""


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
        code=get_code,
        job=get_job("train", "runs"),
        checkpoints=f"{ROOT}/checkpoints/{{variant}}/seed{{seed}}",
        weights=get_weights,
        tensorboard=get_tensorboard,
        minutes=STUDY.config.checkpoint_minutes,
    # Not `script:`, because torchrun starts the file once for each process.
    shell:
        "exec python -P {params.script:q} --job {params.job:q} --seed {wildcards.seed}"
        " --checkpoints={params.checkpoints:q} --weights={params.weights:q}"
        " --tensorboard={params.tensorboard:q} --checkpoint-minutes {params.minutes}"
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
