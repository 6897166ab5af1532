"""Every size, count and rate that one side refuses to exceed, by name.

A limit lives here when two processes must agree on it or when it guards a parser of foreign bytes.
"""

MIB = 1024 * 1024
KIB = 1024

# Device plane
MESSAGE_BYTES = 4 * MIB  # the largest protobuf message on gRPC
MQTT_PACKET_BYTES = 256 * KIB  # checked before publish; brokers are configured to the same
MQTT_CHUNK_BYTES = 64 * KIB  # artifact bytes in one MQTT message
GRPC_CHUNK_BYTES = 256 * KIB  # artifact bytes in one gRPC message
DEPLOYMENTS_PER_DEVICE = 32
ARTIFACTS_PER_ASSIGNMENT = 32
TRIALS_PER_DEVICE = 32
ASSET_BYTES = 16 * MIB  # one file that travels with every variant
GOLDEN_INPUTS = 10_000
GOLDEN_BYTES = 16 * MIB
DEVICE_NAME_CHARS = 63
LABELS = 64
MESSAGE_TEXT_CHARS = 2_000  # messages for people inside reports

# Telemetry
HISTOGRAM_BUCKETS = 160  # OpenTelemetry's default maximum for exponential histograms
HISTOGRAM_SCALE = 5  # 2**(2**-5): buckets 2.2 % wide
SPOOL_WINDOWS = 10_000
CLASSES_COUNTED = 1_024
CONFIDENCE_STEPS = 100  # whole percents
LARGEST_ERROR = 1e100  # of an answer on a numeric label: sums of squares stay finite

# Inference on the device
INFER_BODY_BYTES = 64 * MIB  # one request's body
INFER_HELD_BYTES = 256 * MIB  # bodies of all requests that wait or run
INFER_IN_FLIGHT = 256  # requests inside the engine; more are answered 503
INFER_ID_CHARS = 256
FEEDBACK_IDS = 4_096  # requests whose predictions wait for labels
FEEDBACK_ROWS = 256  # of one request; a larger batch is not remembered

# Operator plane
MODEL_BYTES = 4 * 1024 * MIB
DATA_BYTES = 4 * 1024 * MIB
UPLOAD_CHUNK_BYTES = 4 * MIB
MANIFEST_BYTES = 1 * MIB
PAGE_ITEMS = 500
EVENTS_KEPT = 10_000
REVISIONS_KEPT = 50
COHORTS_PER_REVISION = 64  # each has a canary of its own, and its share of alpha
DECISIONS_KEPT = 200  # of each deployment: why a rollout went as it did
SNAPSHOTS_KEPT = 20  # of the newest of them the whole inputs, for replay
SNAPSHOT_BYTES_KEPT = 16 * MIB  # compressed, of each deployment
HISTORY_OF_CHANGES = 10_000  # store changes kept for watches before 410 Gone

# Model parsing (a model file is hostile until proven otherwise)
MODEL_NODES = 100_000
MODEL_DIMS = 16
EXTERNAL_FILES = 1_000
PARSE_MEMORY_BYTES = 4 * 1024 * MIB
PARSE_CPU_SECONDS = 60
CONVERT_MEMORY_BYTES = 16 * 1024 * MIB  # of addresses: torch maps more than it uses
CONVERT_CPU_SECONDS = 600
