"""The controller: API, store, reconcile loop and device links in one asyncio process."""

import os

# Jobs and brokers are children made by fork and exec. gRPC, which reads this when it is imported,
# would otherwise warn at each of them that it leaves its state alone, which is what we want.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "false")
