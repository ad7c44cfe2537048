from credentials_portal.core.commands import CommandRun, OperatorCommand, Summary
from credentials_portal.core.history import models_with_history, rows_without_true_history


class Command(OperatorCommand):
    help = "Find rows whose newest history row is missing or says something else."
    scheduled = True

    def run(self, run: CommandRun) -> Summary:
        models = models_with_history()
        differing = {}
        for model in run.batches(models, total=len(models)):
            rows = rows_without_true_history(model)
            run.report.row(model=model._meta.label, rows=rows)
            if rows:
                differing[model._meta.label] = rows
        total = sum(differing.values())
        return Summary(
            {"models": len(models), "rows_without_true_history": total, "differing": differing},
            failed=total,
        )
