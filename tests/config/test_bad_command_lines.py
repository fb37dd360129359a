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
    "teacher=gcnn": ["teacher=gcnn is not one of gat, gcn, sage", "did you mean 'gcn'"],
    "method=glmn": ["method=glmn", "did you mean 'glnn'"],
    "preset=papr": ["preset=papr", "did you mean 'paper'"],
    "tracker=tensorboard": ["tracker=tensorboard", "wandb"],
    "student=cnn": ["student=cnn is not one of mlp"],
    "method.tua=3": ["method.tua is not an option", "did you mean 'method.tau'"],
    "+method.typo=3": ["method.typo is not an option", "did you mean 'method.tau'"],
    "++training.max_epoch=3": ["did you mean 'training.max_epochs'"],
    "+foo=1": ["foo is not an option"],
    "foo=1": ["foo is not an option"],
    "seed=1": ["seed is not an option", "did you mean 'seeds'"],
    "seeds=1": ["seeds=1 is not a list such as [0, 1]"],
    "seeds=[]": ["seeds=[] is empty"],
    "seeds=[1,1]": ["repeats 1"],
    "seeds=[-1]": ["seeds=-1 is out of range"],
    "seeds=[a]": ["is not a list such as [0, 1]"],
    "device=gpu": ["device=gpu is not one of auto, cpu, cuda; did you mean 'cuda'"],
    "cache=never": ["cache=never is not one of use, refresh, off"],
    "calibration=platt": ["calibration=platt is not one of temperature, none"],
    "replicas=0": ["replicas=0 is out of range; it must be >= 1"],
    "training.max_epochs=0": ["training.max_epochs=0 is out of range"],
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
    "dataset=custom": ["dataset.path has no value"],
    "dataset=synthetic dataset.classes=50 dataset.nodes=40": ["is more than dataset.nodes=40"],
    "protocol.val_per_class=30": ["set exactly one"],
    "protocol.covers=[moon]": ["protocol.covers=moon is not one of"],
    "method=mlp,glnn": ["method=mlp,glnn gives several values; add -m"],
    "dataset=synthetic dataset.name=x": ["dataset.name=x renames what it does not change"],
    "dataset=custom dataset.path=x.npz dataset.name=cora": ["is the name of another graph"],
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
