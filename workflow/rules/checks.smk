"""Checks that look at the jobs of this invocation, before the first one starts."""


def check_images():
    """Refuse to train where an archive left the images out, before any job starts."""
    jobs = list(workflow.dag.needrun_jobs())
    made = {job.wildcards.root for job in jobs if job.rule.name == "prepare"}
    trained = {job.wildcards.root for job in jobs if job.rule.name == "train"}
    for root in trained - made:
        try:
            LAYOUTS[root].check_images()
        except UserError as error:
            raise WorkflowError(str(error)) from None
