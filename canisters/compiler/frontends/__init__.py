"""Other ways in than an ONNX file: trained objects of other libraries, turned into ONNX or, for tinygrad, straight into C.

Each module imports its library inside its functions, so that the compiler itself needs none of them.
"""
