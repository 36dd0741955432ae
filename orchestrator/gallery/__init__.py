"""Templates: complete workflows that anybody who may publish can install in one click and try with a real input.

The contract. A template is a folder `orchestrator/gallery/<name>/`, found by being there. `<name>` is the name of the
workflow that it installs (`metadata.name`); no two templates have the same. In it are

`workflow.yaml`
    a complete definition. It publishes under `configuration: {strict: true}` without a warning: error handling for
    every step, and, where several agents work together, a `fallback` that could do the rest, `budgets: {cost: ...}` and
    a `checkpoint`. It names agents of `agents/library` only, and runs without a network. A definition that is shipped
    elsewhere is named in `template.yaml` instead (`workflow: library/refund-approval.yaml`, below `orchestrator/`).

`template.yaml` (`templates.Facts`; unknown keys are refused)
    title     what people call it
    summary   one sentence that ends with a full stop
    domain    security, content, business, legal, finance, research or operations
    patterns  names from the pattern gallery (`orchestrator.patterns.plain.entries`), the chief one first
    people    who is asked where: a list of `{gate: <key of a step>, who: <queue>, when: <words>}`; `when` may be left
              out where it is always; an empty list says that nobody is. Queues are those that `make up` makes
              (`approvals.demo.QUEUES`): whoever may publish may not make others
    data      one sentence: which real data the samples are and under which licence, or that they are synthetic and why
    minutes   how long a run took, and
    cost      what it cost in US dollars: only where somebody has measured it
    offline   true
    workflow  see above

`inputs.jsonl` (`templates.Sample`; three lines or more, real data where it exists), each one
    title     what this case is
    input     what the run is started with
    people    `{<key of a step>: {verdict, note, edited}}`: what a person answers there. Where nothing is said people
              approve; a step of `type: manual` and a question of a pattern need `{edited: {...}}` (verdict `complete`)
    signals   a list of `{name, key, data}` that arrive while the run waits for them
    ends      the run's status in the end; `succeeded` where nothing is said
    outputs   some of the run's outputs, word for word

`tests/integration/gallery/test_templates.py` holds every template that is found to all of this: it publishes it, runs
each sample with a real shift, lets a person answer, and compares the end. `pytest -k <name>` runs one of them.
"""
