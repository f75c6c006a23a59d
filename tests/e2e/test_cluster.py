"""Three nodes and PostgreSQL, with trouble, in small; scripts/soak --cluster runs it in full."""

import cluster


def test_every_session_is_counted_once_and_every_window_reported_once(binary, shared):
    run = cluster.Cluster(shared, sessions=20_000, domains=300, troubles=5, seed=20261129)
    try:
        problems = run.run()
        print("\n".join(run.figures()))
        assert problems == []
        assert run.figure["trouble: kill"] >= 2 and run.figure["trouble: pause"] >= 2, "no trouble, no test"
        assert run.figure["trouble: database"] == 2
        assert run.figure["sessions acknowledged"] == 20_000 and run.figure["windows"] == 300
    finally:
        run.close()
