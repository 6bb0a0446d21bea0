"""The tagger: a small convolutional network that reads a note token by token and says what identifies.

    text ──features──▶ a row of numbers a token ──network──▶ probabilities of labels ──decoding──▶ spans

Training needs torch, tagging only ONNX Runtime. `training.py` makes the model that is in `model/` again from the
annotated notes of examples/annotated-notes.
"""
