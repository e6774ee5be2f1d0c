"""Good examples of what is read from outside, by the targets of fuzz_targets.py."""

from __future__ import annotations

import iemocap_release

_NAME = "Ses01F_impro01_F000"
_ROWS = b"split,dialogue_id,turn,speaker,text,emotion,video,start_s,end_s\ntrain,a,0,Ana,Hi.,joy,a.mp4,0.5,1.5\n"
_OBJECT = b'{"split": "train", "dialogue_id": "a", "turn": 1, "speaker": "Ana", "text": "Hi.", "emotion": "joy"}\n'
_UTTERANCE = (
    '{"utterance_id": "s01_e02_c03_u004", "speakers": ["Mara"], "transcript": "Hi.", "emotion": "Joyful", "tokens": []}'
)
_ITEM = '{"id": %d, "story": "x", "options": ["a", "b", "c", "d"], "standard_scores": [1, 2, 3, 4], "human_pattern": 1}'
_RUN = b'{"run_id": "a-1", "name": "a", "used_at": "2026", "stages": {"ingest": {"key": "k"}}}'

SEEDS: dict[str, list[bytes]] = {
    "times": [b"00:00:01,000 --> 00:00:02,500", b"00:16:16,059", b"1.5 2e-5", b"Wed, 21 Oct 2026 07:28:00 GMT"],
    "srt": [
        b"1\n00:00:01,000 --> 00:00:02,000\nAna: [joy] Hi.\n\n2\n00:00:03,000 --> 00:00:04,000\nBo [anger]: No!\n",
        b"WEBVTT\n\nNOTE x\n\n00:01.000 --> 00:02.000 align:start\n<v Ana>[joy] <i>Hi</i> &amp; bye.\n",
        b"\xff\xfe1\x00\n\x00",
    ],
    "meld": [
        b"Sr No.,Utterance,Speaker,Emotion,Sentiment,Dialogue_ID,Utterance_ID,StartTime,EndTime\n"
        b'1,"Hi, you.",Ross,joy,positive,0,0,"00:16:16,059","00:16:21,731"\n'
    ],
    "emorynlp": [
        b"Utterance,Speaker,Emotion,Scene_ID,Utterance_ID,Season,Episode\n"
        b"Hi.,\"['Monica Geller', 'Ross']\",Joyful,4,1,1,2\n"
    ],
    "emorynlp-json": [f'{{"episodes": [{{"scenes": [{{"utterances": [{_UTTERANCE}]}}]}}]}}'.encode()],
    "iemocap": [
        (iemocap_release.evaluation(_NAME, 1, 2) + "\0" + iemocap_release.transcription(_NAME, 1, 2, "Hi.")).encode()
    ],
    "table": [b"\0" + _ROWS, b"\1" + _ROWS.replace(b",", b"\t"), b"\2" + _OBJECT],
    "labels": [
        b"**Joy**",
        b"<think>x</think>\nThe emotion is happy.",
        b"\\boxed{sad} because",
        b"a: 1, b: 2\nAnger - 3",
    ],
    "answer": [
        b'{"choices": [{"message": {"content": "joy"}, "finish_reason": "stop"}], "usage": {"prompt_tokens": 2}}',
        b'{"error": {"message": "no such model"}}',
    ],
    "settings": [
        b'name = "a"\nseed = 3\n[ingest]\ncorpus = "meld"\nfolder = "x"\n[captions]\nmax_rejects = 0.5\n',
        b'name = "b"\n[ingest]\ncorpus = "joint"\n[[ingest.parts]]\ncorpus = "meld"\nfolder = "x"\n',
    ],
    "set": [b"captions.model=cues", b"finetune.learning_rate=1e-3", b"ingest.dialogues={train = 3}", b"seed=7"],
    "grid": [
        b'name = "g"\nbase = "meld"\nseeds = [1, 2]\n[settings]\nfinetune.epochs = 1\n'
        b"[grid]\ninstructions.context = [0, 2]\n"
        b'[[case]]\nname = "c"\ninstructions.shots = 3\n'
    ],
    "manifest": [
        b'\0{"stage_key": "k", "shard": 0, "rows": 1, "bytes": 3, "sha256": "x"}',
        b'\2{"shards": [{"shard": 0, "split": "train", "rows": 2}]}',
        b"\3" + _RUN,
        b'\4{"run_id": "a-1", "attempt": 1, "state": "done", "test_reads": []}',
        b'\5{"ablation": "g", "runs": [{"base": "b"}], "rows": [{"cell": "c"}]}',
        b'\6{"rows": [{"a": 1}]}',
        b'\7{"rows": [], "answers": []}',
    ],
    "seceu": [
        f'{{"items": [{", ".join(_ITEM % at for at in range(3))}], "population_mean_distance": 2, '
        '"population_sd_distance": 1}}'.replace("}}", "}").encode()
    ],
}
