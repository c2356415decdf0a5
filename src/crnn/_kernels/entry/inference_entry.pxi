"""Entry points to sampling and scoring. Part of `core`."""
from libc.string cimport memcpy
from ..common.interface cimport Controls as ControlNumbers
from ..common.interface cimport DrawSettings, RowMixture, Strings, Texts, end_fork, fork_init, fork_join, join_work
from ..common.interface cimport SharedStep as SharedStepData
from ..common.row_source cimport RowSource, row_source_in


cdef class Controls:
    """Changes of the logits before a draw: see `sampler`.

    `numbers` has the fields of the structure `Controls` by name. `bias` (V,) is added to all logits; `seen` (texts, V)
    marks the penalized symbols, and then also the drawn ones; `order` (V,) is scratch memory. Without `order`
    only the temperature counts, and drawing is faster.
    """
    cdef ControlNumbers numbers
    cdef object bias
    cdef unsigned char[:, ::1] seen
    cdef int[::1] order

    def __cinit__(self, dict numbers not None, *, int[::1] order=None, bias=None, unsigned char[:, ::1] seen=None):
        self.numbers = numbers
        self.order = order
        self.bias = bias
        self.seen = seen

    cdef void fill(self, DrawSettings* settings, Py_ssize_t itemsize, Py_ssize_t texts, Py_ssize_t V) except *:
        """Set the controls of a draw, after checking that their arrays fit this many texts and V symbols."""
        settings.temperature = self.numbers.temperature
        settings.control = NULL
        settings.bias = NULL
        settings.seen = NULL
        settings.order = NULL
        if self.order is None:
            return
        require_size("order", self.order.shape[0], V)
        settings.control = &self.numbers
        settings.order = &self.order[0]
        if self.bias is not None:
            settings.bias = address("biases", self.bias, itemsize, (V,), writable=False)
        if self.seen is not None:
            require_size("streams of symbols seen", self.seen.shape[0], texts)
            require_size("symbols seen", self.seen.shape[1], V)
            settings.seen = &self.seen[0, 0]


def sums_size(Py_ssize_t V) -> int:
    """Return the number of elements of the scratch array `sums` for a draw from V symbols."""
    return kernels_of[0].sums_size(V)


cdef Network network_of(weights):
    """Return the network of `PackedWeights`, after checking its type."""
    network = weights[0]
    if not isinstance(network, Network):
        raise TypeError(f"network must be a core.Network, not {network!r}")
    return network


cdef Weights inference_weights(weights) except *:
    """Return `PackedWeights` in the form for the kernels, after checking that they are for inference."""
    network, params, panels = weights
    (<Network?>network).require_mode(training=False)
    return (<Network>network).weights(params, panels)


cdef class SharedStep:
    """Several threads that compute the time steps of one stream together; see `layer_steps`. A context manager.

    One thread calls `wait_for_all`, and then methods of a session with this object, as often as it likes. All other
    threads `serve`, each with a rank from 1. They return at the end of the context.
    """
    cdef SharedStepData step
    cdef fork_join fork
    cdef Network network

    def __cinit__(self, Network network not None, int n_threads):
        if n_threads < 2:
            raise ValueError(f"a shared step needs at least 2 threads, not {n_threads}")
        fork_init(&self.fork, n_threads - 1)
        self.network = network
        self.step.threads = n_threads
        self.step.fork = &self.fork

    cdef SharedStepData* checked(self, Network network, Py_ssize_t B) except NULL:
        """Return the step, after checking that it belongs to this network and that there is one stream."""
        if network is not self.network or B != 1:
            raise ValueError("threads share the steps of 1 stream and of the network that they were started for, not "
                             f"of {B} streams")
        return &self.step

    def serve(self, int rank):
        """Compute this thread's part of each step until the context ends."""
        if not 0 < rank < self.step.threads:
            raise ValueError(f"rank must be from 1 to {self.step.threads - 1}, not {rank}")
        cdef float_mode mode
        with nogil:
            mode = flush_denormals()
            self.network.kernels.share_steps(&self.step, rank)
            restore_denormals(mode)

    def wait_for_all(self):
        """Wait until all other threads serve."""
        with nogil:
            join_work(&self.fork)

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        end_fork(&self.fork)


cdef class MixedRows:
    """A model's logits, for `draw_from_rows`, or for `sample_texts` to add to a network's; each multiplied by a weight.

    `weights` (n + 1, 2) are those of the network and of the model after 0, 1, … and n or more symbols that are
    `letters` (V,). `source` is a capsule with a `RowSource`; `before` are the symbols before the texts, as many as
    matter to the source and the weights, with -1 before the beginning. `before` may be changed while texts are drawn.
    """
    cdef RowMixture mixture
    cdef object source
    cdef readonly object before
    cdef const double[:, ::1] weights
    cdef const unsigned char[::1] letters
    cdef const int[::1] symbols_before
    cdef int[::1] symbols
    cdef double[::1] row

    def __cinit__(self, const double[:, ::1] weights not None, const unsigned char[::1] letters not None, source,
                  before not None):
        cdef const RowSource* rows = row_source_in(source)
        cdef Py_ssize_t classes = weights.shape[0]
        cdef Py_ssize_t context = max(rows.context, classes - 1)
        if not (classes and weights.shape[1] == 2 and (np.asarray(weights) >= 0).all()):
            raise ValueError(f"weights must be pairs of numbers of at least 0, not {np.asarray(weights)}")
        self.source = source
        self.before = before
        self.symbols_before = before
        self.weights = weights
        self.letters = letters
        require_size("letters", letters.shape[0], rows.symbols)
        require_size("symbols before", self.symbols_before.shape[0], context)
        self.symbols = np.empty(max(context, 1), np.int32)
        self.row = np.empty(rows.symbols)
        self.mixture.weights = &weights[0, 0]
        self.mixture.classes = classes
        self.mixture.letters = &letters[0]
        self.mixture.source = rows
        self.mixture.context = context
        self.mixture.symbols = &self.symbols[0]
        self.mixture.row = &self.row[0]

    cdef void fill(self, DrawSettings* settings, const Texts* texts, Py_ssize_t symbols) except *:
        """Mix rows of these texts, after checking that both models have the same symbols."""
        require_size("symbols of the mixture", self.row.shape[0], symbols)
        self.mixture.before = &self.symbols_before[0] if self.symbols_before.shape[0] else &self.symbols[0]
        self.mixture.texts = texts
        settings.mixture = &self.mixture


cdef class Batch:
    """The current texts of `sample_texts`: those that have `begun`, and among these the `active` ones.

    Row b draws text texts[b], for all b < `active`; the other rows are empty.
    """
    cdef readonly Py_ssize_t begun
    cdef readonly Py_ssize_t active
    cdef Py_ssize_t[::1] texts

    def __cinit__(self, Py_ssize_t[::1] texts not None):
        self.texts = texts


cdef void fill_texts(Texts* texts, drawn, Py_ssize_t rows) except *:
    """Set the texts and their progress, after checking that the arrays belong together."""
    cdef Py_ssize_t i
    cdef Batch batch = drawn.batch
    cdef int[:, ::1] symbols = drawn.symbols
    cdef Py_ssize_t[::1] lengths = drawn.lengths
    if batch is None or symbols is None or lengths is None:
        raise TypeError("batch, symbols and lengths must be arrays, not None")
    require_size("rows of the batch", batch.texts.shape[0], rows)
    texts.count = symbols.shape[0]
    texts.width = symbols.shape[1]
    texts.max_length = drawn.max_length
    if texts.count < 1 or texts.width < 1 or texts.max_length < 1:
        raise ValueError(f"nothing to draw: {texts.count} texts of at most {texts.max_length} symbols, in "
                         f"{texts.width} columns")
    require_size("lengths", lengths.shape[0], texts.count)
    texts.symbols = &symbols[0, 0]
    texts.lengths = &lengths[0]
    texts.rows = &batch.texts[0]
    texts.begun = batch.begun
    texts.active = batch.active
    texts.longest = 0
    for i in range(batch.active):
        if not (batch.begun <= texts.count and 0 <= batch.texts[i] < batch.begun
                and 0 <= lengths[batch.texts[i]] <= texts.width):
            raise ValueError(f"batch does not belong to these {texts.count} texts of at most {texts.width} symbols")
        texts.longest = max(texts.longest, lengths[batch.texts[i]])


cdef void fill_random(Texts* texts, uint64_t[:, ::1] states, const uint64_t[::1] increment) except *:
    """Set the streams of random numbers, after checking that there is one for each text."""
    if states is None or increment is None:
        raise TypeError("states and increment of the random numbers must be arrays, not None")
    require_size("streams of numbers", states.shape[0], texts.count)
    require_size("halves of a state", states.shape[1], 2)
    require_size("halves of an increment", increment.shape[0], 2)
    texts.random.streams = &states[0, 0]
    texts.random.increment = wide(&increment[0])


cdef void fill_stops(Texts* texts, const int[::1] stops, const Py_ssize_t[::1] ends) except *:
    """Set the stops, after checking that none is empty."""
    cdef Py_ssize_t i
    cdef Py_ssize_t start = 0
    if stops is None or ends is None:
        raise TypeError("stops and their ends must be arrays, not None")
    for i in range(ends.shape[0]):
        if not start < ends[i] <= stops.shape[0]:
            raise ValueError(f"stop {i} is empty, or ends outside the {stops.shape[0]} symbols of all stops")
        start = ends[i]
    texts.stops.count = ends.shape[0]
    texts.stops.symbols = &stops[0] if texts.stops.count else NULL
    texts.stops.ends = &ends[0] if texts.stops.count else NULL


cdef void fill_start(Texts* texts, Network network, list states) except *:
    """Set the initial states of all texts, padded."""
    cdef Py_ssize_t of_h_and_c = 2 if network.net.cell.has_c else 1
    cdef Py_ssize_t size = network.itemsize
    shape = (network.net.dims.L, 1, network.net.dims.H)
    require_size("states at the start", len(states), of_h_and_c + network.net.inputs.has_before)
    texts.start.h = address("states at the start", states[0], size, shape, writable=False)
    texts.start.c = address("states at the start", states[of_h_and_c - 1], size, shape, writable=False)
    texts.start.before = NULL
    if network.net.inputs.has_before:
        symbol = states[of_h_and_c]
        texts.start.before = <const int*>integers("symbol at the start", symbol, "int32", (1, 1, 1), writable=False)


def sample_texts(Session session not None, drawn not None, Controls controls not None, Py_ssize_t max_steps,
                 MixedRows mixture=None, SharedStep shared=None):
    """Draw texts in parallel until all have ended, but for at most `max_steps`; see `texts` for when a text ends.

    `drawn` are `DrawnTexts`. A text that ends makes room for the next one or, if there is none, for the last row, so
    that no draw is wasted. The call also ends when an active text has no room left for symbols.

    The session has a stream for each row of the batch. The controls' `seen` has a row for each text; the rows of texts
    that have not begun must be equal. With a `mixture`, its other model's logits are added to the network's.
    """
    cdef Network network = session.network
    cdef Py_ssize_t V = network.net.dims.V
    cdef Py_ssize_t B = session.B
    cdef Py_ssize_t size = network.itemsize
    cdef Workspace space = session.space
    cdef Batch batch = drawn.batch
    cdef Texts t
    cdef DrawSettings settings
    cdef float_mode mode
    fill_start(&t, network, drawn.start)
    cdef const real* logits_at_start = address("logits at the start", drawn.start_logits, size, (V,), writable=False)
    fill_texts(&t, drawn, B)
    fill_random(&t, drawn.random_states, drawn.increment)
    fill_stops(&t, drawn.stops, drawn.stop_ends)
    settings.sums = session.sums
    settings.mixture = NULL
    controls.fill(&settings, size, t.count, V)
    if mixture is not None:
        mixture.fill(&settings, &t, network.net.dims.symbols)
    space.shared = NULL if shared is None else shared.checked(network, B)
    t.start.y = <real*>(<char*>space.decoder.y + B * V * size)
    with nogil:
        mode = flush_denormals()
        memcpy(t.start.y, logits_at_start, V * size)
        network.kernels.sample_texts(&session.w, &space, &settings, &t, max_steps)
        restore_denormals(mode)
    batch.begun = t.begun
    batch.active = t.active


def draw_from_rows(MixedRows rows not None, drawn not None, Controls controls not None, Py_ssize_t max_symbols,
                   double[::1] y not None, double[::1] sums not None):
    """Draw texts, one after another, from a model's rows of logits alone; at most `max_symbols` in all.

    `drawn` are `DrawnTexts` without a start, and a batch of one row. y and `sums` (see `sums_size`) are scratch; y has
    an element for each symbol and for padding that fills the last vector.
    """
    cdef Py_ssize_t V = y.shape[0]
    cdef Py_ssize_t symbols = rows.row.shape[0]
    cdef Batch batch = drawn.batch
    cdef Texts t
    cdef DrawSettings settings
    cdef const Kernels* kernels = kernels_for(sizeof(double))
    cdef float_mode mode
    require_size("logits", V, kernels.packed_elements(1, symbols))
    require_size("sums", sums.shape[0], sums_size(V))
    fill_texts(&t, drawn, 1)
    fill_random(&t, drawn.random_states, drawn.increment)
    fill_stops(&t, drawn.stops, drawn.stop_ends)
    settings.sums = &sums[0]
    controls.fill(&settings, sizeof(double), t.count, V)
    rows.fill(&settings, &t, symbols)
    with nogil:
        mode = flush_denormals()
        kernels.draw_from_rows(symbols, V, &settings, &t, <real*>&y[0], max_symbols)
        restore_denormals(mode)
    batch.begun = t.begun
    batch.active = t.active
    batch.texts[0] = t.begun - 1


def filter_logits(y, Controls controls not None):
    """y (B, V) = probabilities, up to a factor for each row, after the controls, which need an `order`."""
    cdef Numbers logits = numbers("logits", y, 2, writable=True)
    cdef Py_ssize_t B = logits.shape[0]
    cdef Py_ssize_t V = logits.shape[1]
    cdef DrawSettings settings
    settings.sums = NULL
    settings.mixture = NULL
    controls.fill(&settings, logits.itemsize, B, V)
    if settings.control == NULL:
        raise ValueError("controls need an `order` to change more than the temperature")
    cdef float_mode mode = flush_denormals()
    kernels_for(logits.itemsize).filter_logits(logits.first, B, V, &settings)
    restore_denormals(mode)


def logits(weights not None, top, y, scratch):
    """y = top @ Wy + by for states `top` (rows, H) of the last layer; `scratch`: see `logits_scratch`."""
    cdef Network network = network_of(weights)
    cdef Weights w = inference_weights(weights)
    cdef Py_ssize_t rows = numbers("units", top, 2, writable=False).shape[0]
    cdef const real* h = address("units", top, network.itemsize, (rows, network.net.dims.H), writable=False)
    cdef real* out = address("logits", y, network.itemsize, (rows, network.net.dims.V))
    cdef real* room = address("scratch", scratch, network.itemsize, (logits_scratch(network, rows),))
    cdef float_mode mode
    if rows:
        with nogil:
            mode = flush_denormals()
            network.kernels.logits(&w, rows, h, out, room)
            restore_denormals(mode)


def logits_scratch(Network network not None, Py_ssize_t rows) -> int:
    """Return the number of elements of the scratch array of `logits`."""
    return network.kernels.operand_elements(rows, network.net.dims.H)
