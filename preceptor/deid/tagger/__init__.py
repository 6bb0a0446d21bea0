"""The tagger: a small convolutional network that reads a note token by token and says what identifies.

    text ──features──▶ a row of numbers a token ──network──▶ probabilities of labels ──decoding──▶ spans

Training needs torch, tagging only ONNX Runtime. `preceptor deid train` makes `model.onnx` again from the notes in
`annotated/`.
"""
