"""The worker: `python -m shoal.compressor.process.worker FD`, the job as JSON on its stdin.

Everything that opens a foreign file, trains or measures happens here. It ends when its supervisor
does (stdin closes), is the first that the kernel kills when memory runs out, and tells what happens
through the pipe FD, because libraries write on stdout and stderr as they please.
"""

import json
import os
import resource
import signal
import sys
import threading
from pathlib import Path
from typing import Any, Final

from shoal.compressor import errors, options
from shoal.compressor.process.messages import OUT_OF_MEMORY, Teller
from shoal.contract.problem import ExitCode, ProblemError

_FIRST_TO_GO: Final = "1000"  # of /proc/self/oom_score_adj: kill this before anything else


def main() -> None:
    """Does one job and tells how it went; an exit code other than 0 means that it could not."""
    given = json.loads(sys.stdin.readline())
    threading.Thread(target=_end_with_supervisor, daemon=True).start()
    teller = Teller(os.fdopen(int(sys.argv[1]), "w"))
    confine(given.pop("memory_bytes"))
    try:
        _work(given, teller)
    except ProblemError as error:
        teller.fail(error.problem, error.exit_code)
    except KeyboardInterrupt:
        teller.fail(errors.stopped().problem, ExitCode.INTERRUPTED)
    except Exception as error:  # noqa: BLE001 - a fault of ours must not look like the user's
        if errors.is_out_of_memory(error):
            os._exit(OUT_OF_MEMORY)
        told = errors.about_files(error) if isinstance(error, OSError) else errors.fault(error)
        teller.fail(told, ExitCode.FAILED)
    else:
        teller.done()
    os._exit(0)  # threads of libraries have nothing left to say


def confine(memory_bytes: int) -> None:
    """Bounds what this process may take, so that the machine outlives a greedy candidate."""
    Path("/proc/self/oom_score_adj").write_text(_FIRST_TO_GO)
    resource.setrlimit(resource.RLIMIT_DATA, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _work(given: dict[str, Any], teller: Teller) -> None:
    job = options.resolve(options.Asked(**given))
    from shoal.compressor import app  # noqa: PLC0415 - a wrong line is answered before this

    # The supervisor started this process with Ctrl-C held back: a C extension that is interrupted
    # while it is imported fails as something else.
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    app.run(job, teller)


def _end_with_supervisor() -> None:
    sys.stdin.read()  # returns when the other end is closed, by whatever death
    os.killpg(0, signal.SIGKILL)  # this session is the worker's own: it and what it measures with


if __name__ == "__main__":
    main()
