"""Opens event files with TensorBoard's own readers, its hparams tab too: folder, file of what must be
found."""

import json
import sys
from pathlib import Path

import numpy
from google.protobuf import json_format
from tensorboard.backend.event_processing import data_provider, plugin_event_multiplexer
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.context import RequestContext
from tensorboard.plugins import base_plugin
from tensorboard.plugins.hparams import api_pb2, backend_context, get_experiment, list_session_groups

folder, wanted = Path(sys.argv[1]), json.loads(Path(sys.argv[2]).read_text())
runs = {int(run.name[:4]): run for run in folder.iterdir() if run.is_dir()}
begun = [want for want in wanted["trials"] if want["state"] != "pending"]
assert sorted(runs) == [want["trial"] for want in begun]
for want in begun:
    run = EventAccumulator(str(runs[want["trial"]]), size_guidance={"scalars": 0}).Reload()
    tags = run.Tags()["scalars"]
    if want["state"] == "failed":
        assert tags == [], tags
        continue
    assert sorted(tags) == ["final/knn_top1", "final/linear_top1", "loss", "lr"], tags
    for update, value in want["loss"]:
        point = run.Scalars("loss")[update - 1]
        assert (point.step, numpy.float32(point.value)) == (update, numpy.float32(value))
    (final,) = run.Scalars("final/linear_top1")
    assert numpy.float32(final.value) == numpy.float32(want["linear_top1"])
    assert final.step == len(want["loss"])

multiplexer = plugin_event_multiplexer.EventMultiplexer(tensor_size_guidance={"scalars": 0})
multiplexer.AddRunsFromDirectory(str(folder)).Reload()
provider = data_provider.MultiplexerDataProvider(multiplexer, str(folder))
context = backend_context.Context(base_plugin.TBContext(data_provider=provider))
request = RequestContext()
experiment = get_experiment.Handler(
    request, context, "", api_pb2.GetExperimentRequest(include_metrics=True)
).run()
assert experiment.name == "tiny", experiment
kinds = {info.name: api_pb2.DataType.Name(info.type) for info in experiment.hparam_infos}
assert kinds == {"batch_size": "DATA_TYPE_FLOAT64", "augment.remove": "DATA_TYPE_STRING"}, kinds
metrics = {info.name.tag for info in experiment.metric_infos}
assert metrics == {"final/linear_top1", "final/knn_top1"}, metrics

ask = api_pb2.ListSessionGroupsRequest(
    start_index=0,
    slice_size=100,
    allowed_statuses=[api_pb2.STATUS_SUCCESS, api_pb2.STATUS_FAILURE],
    aggregation_type=api_pb2.AGGREGATION_AVG,
    include_metrics=True,
)
for param in experiment.hparam_infos:
    ask.col_params.add(hparam=param.name)
for info in experiment.metric_infos:
    ask.col_params.add(metric=info.name)
groups = list_session_groups.Handler(request, context, "", ask).run().session_groups
wanted_groups = {}
for want in begun:
    wanted_groups.setdefault(want["group"][:8], []).append(want)
found = {group.name: group for group in groups}
assert set(found) == set(wanted_groups), (set(found), set(wanted_groups))
for name, members in wanted_groups.items():
    group = found[name]
    assert len(group.sessions) == len(members)
    hparams = {key: json_format.MessageToDict(value) for key, value in group.hparams.items()}
    assert hparams["batch_size"] == members[0]["batch_size"], hparams
    assert hparams["augment.remove"] == members[0]["augment.remove"], hparams
    values = [member["linear_top1"] for member in members if member["linear_top1"] is not None]
    mean = {value.name.tag: value.value for value in group.metric_values}.get("final/linear_top1")
    assert (mean is None) == (not values), (mean, values)
    if values:
        assert abs(mean - sum(values) / len(values)) < 1e-6, (mean, values)
    statuses = {api_pb2.Status.Name(session.status) for session in group.sessions}
    assert statuses <= {"STATUS_SUCCESS", "STATUS_FAILURE"}, statuses
