"""Where tables and models meet to estimate: the engine, `Fit`, other packages' engines."""
