"""What the house rules look for: each finder yields (line, what is wrong) for one file."""

import ast
import re
from functools import cache

from tests.project import tree

FILE_LINES_MAX = 400
FUNCTION_LINES_MAX = 50
TASK_LINES_MAX = 8
WRITES = {
    "bulk_create",
    "bulk_update",
    "create",
    "delete",
    "get_or_create",
    "save",
    "update",
    "update_or_create",
}
CLOCKS = {
    "datetime.now",
    "datetime.datetime.now",
    "datetime.utcnow",
    "date.today",
    "time.time",
    "time.time_ns",
    "timezone.now",
    "django.utils.timezone.now",
}


@cache
def nodes(text):
    """Return every syntax node of a file, outer ones first."""
    return tuple(ast.walk(ast.parse(text)))


def walk(text, *kinds):
    """Yield the syntax nodes of these kinds."""
    return (node for node in nodes(text) if isinstance(node, kinds))


def functions(text):
    """Yield every function and method."""
    return walk(text, ast.FunctionDef, ast.AsyncFunctionDef)


def calls(text):
    """Yield every call with its dotted name, such as ("Job.objects.create", call)."""
    for node in walk(text, ast.Call):
        yield ast.unparse(node.func), node


def long_files(name, text):
    lines = text.count("\n")
    if lines > FILE_LINES_MAX:
        yield lines, f"{lines} lines; split it by noun"


def long_functions(name, text):
    for node in functions(text):
        lines = node.end_lineno - node.lineno + 1
        if lines > FUNCTION_LINES_MAX:
            yield node.lineno, f"{node.name} has {lines} lines; a function fits a screen"


def vague_modules(name, text):
    words = {"base", "common", "core", "helpers", "misc", "utils"}
    if name.endswith("config/postgres/base.py"):
        return  # Django looks for an engine under this name
    for part in name.removesuffix(".py").split("/"):
        if part in words:
            yield 1, f"{part!r} says nothing; name the noun"


def vague_classes(name, text):
    for node in walk(text, ast.ClassDef):
        if word := re.search(r"(Manager|Handler|Helper|Processor|Service)(?![a-z])", node.name):
            yield node.lineno, f"{node.name}: {word[0]!r} says nothing; name what it is"


def bare_quantities(name, text):
    bare = {"amount", "cost", "delay", "duration", "fee", "latency", "price", "size", "timeout"}
    for node in functions(text):
        for argument in (*node.args.args, *node.args.kwonlyargs):
            if argument.arg in bare:
                yield node.lineno, f"{node.name}({argument.arg}) has no unit; end it in one"
    for node in walk(text, ast.AnnAssign):
        if isinstance(node.target, ast.Name) and node.target.id in bare:
            yield node.lineno, f"{node.target.id} has no unit; end it in one"


def unnamed_constraints(name, text):
    app = name.split("/")[0]
    for model in walk(text, ast.ClassDef):
        prefix = f"{app}_{model.name.lower()}_"
        for meta in (part for part in model.body if isinstance(part, ast.ClassDef)):
            for call in (part for part in ast.walk(meta) if isinstance(part, ast.Call)):
                if not ast.unparse(call.func).endswith(("Constraint", "Index")):
                    continue
                said = [key.value for key in call.keywords if key.arg == "name"]
                label = said[0].value if said and isinstance(said[0], ast.Constant) else ""
                if not label.startswith(prefix):
                    yield call.lineno, f"{label or 'a constraint'!r} does not begin with {prefix}"


def inexact_numbers(name, text):
    for node in walk(text, ast.Constant, ast.Name, ast.BinOp):
        match node:
            case ast.Constant(value=float()):
                yield node.lineno, f"{node.value} is a float"
            case ast.Name(id="float" | "Decimal"):
                yield node.lineno, f"{node.id} near money"
            case ast.BinOp(op=ast.Div()):
                yield node.lineno, "/ makes a float; divide by // or apportion"


def own_clocks(name, text):
    for label, call in calls(text):
        if label in CLOCKS:
            yield call.lineno, f"{label}() here; take `now` as an argument"


def stray_writes(name, text):
    inside_setters = {
        id(part) for node in functions(text) if node.name == "move_to" for part in ast.walk(node)
    }
    for node in walk(text, ast.Call):
        if not isinstance(node.func, ast.Attribute):
            continue
        verb, receiver = node.func.attr, ast.unparse(node.func.value)
        if verb not in WRITES or id(node) in inside_setters:
            continue
        # dict.update and set.update change what is in memory; a queryset's update names fields.
        if verb == "update" and not node.keywords:
            continue
        yield node.lineno, f"{receiver[:40]}.{verb}(…) writes; that is an operation's work"


def saves_of_all_fields(name, text):
    for label, call in calls(text):
        if label.endswith(".save") and not {"update_fields", "force_insert"} & {
            key.arg for key in call.keywords
        }:
            yield call.lineno, f"{label}() without update_fields writes what others changed"


def cascades(name, text):
    for label, call in calls(text):
        for key in call.keywords:
            if key.arg == "on_delete" and not ast.unparse(key.value).endswith(".PROTECT"):
                yield call.lineno, f"{label} deletes along; PROTECT unless argued"


def unnumbered_todos(name, text):
    for number, line in enumerate(text.splitlines(), 1):
        if re.search(r"\b(TODO|FIXME|XXX|HACK)\b(?!.*#\d)", line):
            yield number, "a note to do something names its issue (#12)"


def silent_functions(name, text):
    for node in nodes(text)[0].body:
        public = getattr(node, "name", "_").startswith("_") is False
        is_function = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        if public and is_function and not ast.get_docstring(node):
            yield node.lineno, f"{node.name} does not say what it does"


def narrating_comments(name, text):
    for number, line in enumerate(text.splitlines(), 1):
        if re.search(r"#.*\b[Ww]e\b", line):
            yield number, "a comment says why, not what we do"


def long_tasks(name, text):
    for node in functions(text):
        if not any("shared_task" in ast.unparse(mark) for mark in node.decorator_list):
            continue
        body = node.body[1:] if ast.get_docstring(node) else node.body
        lines = body[-1].end_lineno - body[0].lineno + 1 if body else 0
        if lines > TASK_LINES_MAX:
            yield (
                node.lineno,
                f"{node.name} has {lines} lines; ask a query, call one operation each",
            )


def people_below_the_web(name, text):
    for node in walk(text, ast.Import, ast.ImportFrom):
        module = getattr(node, "module", None) or ",".join(alias.name for alias in node.names)
        if module.startswith("django.contrib.auth"):
            yield node.lineno, "below the marketplace an owner is a UUID, not a user"


# Put together here, so that this file does not hold what it looks for.
FOREIGN = re.compile(
    "|".join(
        [
            "/" + r"work/",
            "/" + r"home/[a-z]",
            "/" + r"root/",
            "/" + r"Users/",
            r"python" + r"hosted\.org",
            r"py" + r"pi\.org",
            r"registry" + r"\.npm",
            r"(?:extra-)?index" + r"-url",
            re.escape(str(tree.ROOT)) + r"\b",
        ]
    )
)


def foreign_places(name, text):
    for number, line in enumerate(text.splitlines(), 1):
        if found := FOREIGN.search(line):
            yield number, f"{found[0]!r} is a place on one machine, or a registry"


def inline_code(name, text):
    inline = re.compile(
        r"""<script(?![^>]*\bsrc=)(?![^>]*type="application/(?:ld\+)?json")|<style\b|\sstyle=|\son[a-z]+=["']|javascript:""",
        re.IGNORECASE,
    )
    for number, line in enumerate(text.splitlines(), 1):
        if found := inline.search(line):
            yield number, f"{found[0].strip()!r} is inline: the content security policy blocks it"
