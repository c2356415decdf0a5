"""Run exported JavaScript modules in Node.js."""

import json
import shutil
import subprocess

import pytest

needs_node = pytest.mark.skipif(not shutil.which("node"), reason="no node")


def in_node(module, names, expression, **constants):
    """Return the value of an expression that uses some of the functions of a module, and constants."""
    script = module.with_name("run.mjs")
    lines = [f'import {{ {names} }} from "./{module.name}";']
    lines += [f"const {name} = {json.dumps(value)};" for name, value in constants.items()]
    lines += [f"console.log(JSON.stringify({expression}));"]
    script.write_text("\n".join(lines))
    done = subprocess.run(["node", script.name], cwd=module.parent, capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
    return json.loads(done.stdout)
