"""Every mistake on a command line is refused before anything runs or is written."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from gkd_runner.cli.train import main

BAD = {
    "dataset=corra": ["dataset=corra", "did you mean 'cora'"],
    "protocol=krdd": ["protocol=krdd", "did you mean 'krd'"],
    "setting=indutive": ["setting=indutive", "did you mean 'inductive'"],
    "teacher=gcnn": [
        "teacher=gcnn is not one of gat, gcn, precomputed, sage",
        "did you mean 'gcn'",
    ],
    "method=glmn": ["method=glmn", "did you mean 'glnn'"],
    "method=GLNN": ["method=GLNN is not one of", "did you mean 'glnn'?"],
    "method=hgmd": ["did you mean 'hgmd-mixup' or 'hgmd-weight'?"],
    "setting=ind": ["did you mean 'inductive'?"],
    "teacher=GCN": ["did you mean 'gcn'?"],
    "teacher=GraphSAGE": ["did you mean 'sage'?"],
    "dataset=physics": ["did you mean 'coauthor-physics'?"],
    "--epochs 10": ["--epochs 10: options are written name=value; write training.max_epochs=10"],
    "--max-epochs=10": ["--max-epochs=10: ", "; write training.max_epochs=10"],
    "method=mlp --epochs 10": ["write training.max_epochs=10"],
    "--method glnn --seeds 0 1 2": ["2 config", "write method=glnn", "write seeds=0,1,2"],
    "--training.patience 3": ["write training.patience=3"],
    "--seed 1": ["--seed 1: ", "write seeds=1"],
    "--rerun": ["--rerun: options are written name=value; write rerun=..."],
    "-e 10": ["-e 10: there is no such flag; options are written name=value"],
    "--epochs 10 dataset=corra": ["2 configuration mistakes", "did you mean 'cora'"],
    "preset=papr": ["preset=papr", "did you mean 'paper'"],
    "tracker=tensorboard": ["tracker=tensorboard", "wandb"],
    "student=cnn": ["student=cnn is not one of mlp"],
    "method.tua=3": ["method.tua is not an option", "did you mean 'method.tau'"],
    "+method.typo=3": ["method.typo is not an option", "did you mean 'method.tau'"],
    "++training.max_epoch=3": ["did you mean 'training.max_epochs'"],
    "+foo=1": ["foo is not an option"],
    "foo=1": ["foo is not an option"],
    "seed=1": ["seed is not an option", "did you mean 'seeds'"],
    "seeds=4-0": ["seeds=4-0 counts down; write seeds=0-4"],
    "seeds=4..0": ["seeds=4..0 counts down; write seeds=0-4"],
    "seeds=a": ["seeds=a is not a list of whole numbers; write seeds=0-4, seeds=0,1,2 or seeds=5"],
    "seeds=0,b": ["seeds=0,b is not a list of whole numbers"],
    "-m seeds=0,b": ["seeds=0,b is not a list of whole numbers"],
    "seeds=range(5)": ["seeds=range(5) is not a list of whole numbers; write seeds=0-4"],
    "seeds=-1": ["seeds=-1 is not a list of whole numbers"],
    "seeds=": ["seeds= is not a list of whole numbers"],
    "seeds=0-2,1": ["seeds=[0, 1, 2, 1] repeats 1"],
    "splits=all": ["splits=all is not a list of whole numbers", "or splits=null for all"],
    "splits=9-0": ["splits=9-0 counts down; write splits=0-9"],
    "seeds=[]": ["seeds=[] is empty"],
    "seeds=[1,1]": ["repeats 1"],
    "seeds=[-1]": ["seeds=-1 is out of range"],
    "seeds=[a]": ["is not a list such as [0, 1]"],
    "device=gpu": ["device=gpu is not one of auto, cpu, cuda; did you mean 'cuda'"],
    "cache=never": ["cache=never is not one of use, refresh, off"],
    "calibration=platt": ["calibration=platt is not one of temperature, none"],
    "replicas=0": ["replicas=0 is out of range; it must be >= 1"],
    "training.max_epochs=0": ["training.max_epochs=0 is out of range"],
    "training.select_by=f1": ["training.select_by=f1 is not one of accuracy, macro_f1, roc_auc"],
    "dataset=synthetic training.select_by=roc_auc": ["and dataset.classes=5; use training.select"],
    "training.patience=many": ["training.patience='many' is not an integer"],
    "teacher.dropout=1": ["teacher.dropout=1.0 is out of range; it must be >= 0 and < 1"],
    "student.hidden_dim=12.5": ["student.hidden_dim=12.5 is not an integer"],
    "teacher.learning_rate=nan": ["teacher.learning_rate=nan is out of range"],
    "method.lam=1.5": ["method.lam=1.5 is out of range"],
    "method.tau=0": ["method.tau=0.0 is out of range; it must be > 0"],
    "method.pooling=sum": ["method.pooling=sum is not one of mean, max, min"],
    "method.alpha=3": ["method.alpha is not an option"],
    "method=mlp method.lam=0.5": ["method=mlp, which has no teacher"],
    "method=glnn method.lam=1": ["method.lam=1.0 with method=glnn"],
    "method.gamma_1=0 method.gamma_2=0 method.lam=0": ["leave nothing to learn from"],
    "teacher=gat teacher.heads=3": ["teacher.hidden_dim=1024 is not a multiple"],
    "dataset=ogbn-arxiv": ["protocol=infgrand is not defined for dataset=ogbn-arxiv"],
    "dataset=actor": ["(your own graph: make my.npz with gkd-import, then dataset=my.npz)"],
    "dataset=my.npz": ["my.npz: no such file"],
    "-m dataset=cora,my.npz method=mlp,glnn": ["my.npz: no such file"],
    "dataset=custom": ["dataset=custom has no graph file; give one with dataset=my.npz"],
    "dataset=custom data_dir=. dataset.name=a,b": [
        "dataset.name=a,b gives several values; add -m to run each of them"
    ],
    "-m dataset=custom data_dir=. dataset.name=a,b": [
        "2 configuration mistakes",
        "dataset.name=a: no such file a.npz; give the folder of a.npz with data_dir=...",
        "dataset.name=b: no such file b.npz",
    ],
    "-m dataset=a/x.npz,b/x.npz": ["a/x.npz, b/x.npz: graphs of one sweep need different names"],
    "dataset=up/cora.npz": ["dataset.name=cora is the name of another graph", "rename the file"],
    "dataset='x(1).npz'": ["dataset.name=x(1) names folders", "choose another with dataset.name="],
    "dataset=synthetic dataset.classes=50 dataset.nodes=40": ["is more than dataset.nodes=40"],
    "protocol.val_per_class=30": ["set exactly one"],
    "protocol.covers=[moon]": ["protocol.covers=moon is not one of"],
    "method=mlp,glnn": ["method=mlp,glnn gives several values; add -m"],
    "dataset=synthetic dataset.name=x": ["dataset.name=x renames what it does not change"],
    "dataset=custom dataset.path=x.npz dataset.name=cora": ["is the name of another graph"],
    "dataset=x.npz dataset.name=cora": ["dataset.name=cora is the name of another graph"],
    "dataset=custom dataset.path=x.npz dataset.name=../up": ["dataset.name=../up names folders"],
    "protocol.name=krd": ["protocol.name=krd renames what it does not change"],
    "method=null": ["method=None is not one of"],
    "tracker=none tracker.mode=offline": ["tracker.mode=offline with tracker=none"],
    "tracker=trackio tracker.entity=me": ["only tracker=wandb has entity; leave it null"],
    "dataset.family=amazon": ["dataset.family=amazon: the family belongs to the graph"],
    "dataset.path=my=f.npz": ["has characters that need quotes of their own", 'my=f.npz"'],
    "dataset.nodes=600": ["dataset.nodes is not an option", "dataset has: path, row_normalize"],
    "-m method=glob(zz*)": ["method=glob(zz*) matches none of"],
    "-m method=glob(hgmd*) method.alpha=0": ["method.alpha=0.0 is out of range"],
    "-m method.lam=interval(0,1)": ["an interval needs a sweeper"],
    "seeds=[0] -m method=mlp,glmn": ["method=glmn"],
    "output_dir=": ["output_dir= is empty"],
    "seeds={}": ["seeds={} is not a list of whole numbers"],
    "seeds=[range(0,3)]": ["seeds=[range(0,3)] has a sweep inside a list"],
    "seeds=[[1]]": ["seeds=[[1]] is not a list such as [0, 1]"],
    "tracker.tags={a:1}": ["tracker.tags={'a': 1} is not a list such as [a, b]"],
    "tracker.tags.a=1": ["tracker.tags.a=1 cannot be set"],
    "protocol.covers={a:1}": ["protocol.covers={'a': 1} is not a list such as [a, b]"],
    "training.fan_outs={}": ["is not a list such as [0, 1] (each item an integer) or null"],
    "+a.b.c.d=${nosuch}": ["a.b cannot be resolved: Interpolation key 'nosuch' not found"],
    "dataset=custom dataset.name=${nosuch}": ["dataset.name cannot be resolved"],
    "hydra.verbose=${nosuch}": ["Hydra cannot start the job: Interpolation key 'nosuch' not"],
    "hydra.verbose={}": ["Hydra cannot start the job: "],
    "hydra.run.dir=${nosuch}": ["Hydra cannot start the job: Interpolation key 'nosuch' not"],
    "hydra.mode=MULTIRUN": ["hydra.mode=MULTIRUN: a sweep has -m"],
    "--config-name=nosuch": ["Hydra cannot start the job: Cannot find primary config 'nosuch'"],
    "-m method.lam=range(0,1,0)": ["range() arg 3 must not be zero"],
    "-m dataset=glob(*)": ["is not defined for dataset=ogbn-arxiv"],
    "+method=glnn": ["+method=glnn: every job has a method; write method=glnn"],
    "method@x=glnn": ["method@x=glnn moves a group from its place"],
    "metod=glnn": ["metod is not an option", "did you mean 'method'"],
    "tau=3": ["tau is not an option", "did you mean 'method.tau'"],
    "max_epochs=9": ["did you mean 'training.max_epochs'"],
    "epochs=9": ["did you mean 'training.max_epochs'"],
    "lr=0.1": ["did you mean 'student.learning_rate'"],
    "training=10": ["training is a group of options", "training.max_epochs"],
    "-m teacher=gcn,gat teacher.hidden_dim=16,10": ["teacher.hidden_dim=10 is not a multiple"],
    "-m method=mlp,glnn method=infgrand": ["method is swept and given more than once"],
    "training": ["training is not of the form option=value"],
    "~teacher": ["~teacher removes what every job needs"],
    "-m method=mlp,glmn seeds=[0]": ["method=glmn"],
    "-m training.max_epochs=5,0": ["training.max_epochs=0"],
    "dataset.path=nowhere.npz": ["nowhere.npz: no such file"],
    "method.tau=x +a=1 seeds=[]": ["3 configuration mistakes", "method.tau='x' is not a number"],
    "dataset=corra +method.typo=3 seeds=[] device=gpu": [
        "4 configuration mistakes",
        "dataset=corra",
        "method.typo",
        "seeds=[]",
        "device=gpu",
    ],
}


@pytest.mark.parametrize("line", BAD, ids=str)
def test_a_bad_command_line_is_refused_with_its_cause_and_leaves_no_file(
    line: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["gkd-train", *line.split()])

    with pytest.raises(SystemExit) as refused:
        main()

    message = str(refused.value.code)
    assert refused.value.code not in (0, None)
    for part in BAD[line]:
        assert part in message
    assert list(tmp_path.iterdir()) == []


ONE_LINE = [
    "--epochs 10",
    "dataset=actor",
    "method=GLNN",
    "setting=ind",
    "teacher=GCN",
    "dataset=custom",
    "dataset=custom data_dir=. dataset.name=a,b",
    "seeds=4-0",
    "seeds=a",
    "splits=4..0",
]


@pytest.mark.parametrize("line", ONE_LINE)
def test_one_mistake_is_one_line(
    line: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["gkd-train", *line.split()])

    with pytest.raises(SystemExit) as refused:
        main()

    assert len(str(refused.value.code).splitlines()) == 1
