"""Entry points to sampling and scoring. Part of `core`."""
from libc.string cimport memcpy
from .interface cimport Controls as ControlNumbers
from ..ngram.row_source cimport RowSource
from .interface cimport DrawSettings, RowMixture, Strings, Texts, end_fork, fork_init, fork_join, join_work
from .interface cimport SharedStep as SharedStepPlaces


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
        self.order, self.bias, self.seen = order, bias, seen

    cdef void fill(self, DrawSettings* settings, Py_ssize_t itemsize, Py_ssize_t texts, Py_ssize_t V) except *:
        """Set the controls of a draw, after checking that their arrays fit this many texts and V symbols."""
        settings.temperature = self.numbers.temperature
        settings.control, settings.bias, settings.seen, settings.order = NULL, NULL, NULL, NULL
        if self.order is None:
            return
        require_size("order", self.order.shape[0], V)
        settings.control, settings.order = &self.numbers, &self.order[0]
        if self.bias is not None:
            settings.bias = address("biases", self.bias, itemsize, (V,), False)
        if self.seen is not None:
            require_size("streams of symbols seen", self.seen.shape[0], texts)
            require_size("symbols seen", self.seen.shape[1], V)
            settings.seen = &self.seen[0, 0]


def sums_size(Py_ssize_t V) -> int:
    """The number of elements of the scratch array `sums` for a draw from V symbols."""
    return kernels_of[0].sums_size(V)


def inference_workspace(Network network not None, Py_ssize_t T, Py_ssize_t B) -> dict[str, tuple[int, ...]]:
    """The shapes of the arrays for inference with B streams, T symbols at a time.

    h[:, 0], c[:, 0] and `before` are the states. With a boundary the gates have one more row, for the states in
    `Workspace.cut`; further rows are its `scratch`, for rounded operands.
    """
    cdef NetworkPlaces* net = &network.net
    cdef Py_ssize_t scratch = network.kernels.operand_elements(T * B, net.H), row = B * net.ldg
    cdef Py_ssize_t more = (scratch + row - 1) // row if scratch else 0
    return {
        "h": (net.L, T + 1, B, net.H),
        "c": (net.L, T + 1 if net.has_c else 0, B, net.H),
        "before": (B if net.has_before else 0,),
        "gates": (1, (0 if net.z_in_h else T) + (net.boundary >= 0) + more, B, net.ldg),
    }


cdef Network network_of(weights):
    """The network of `PackedWeights`."""
    network, _, _ = weights
    if not isinstance(network, Network):
        raise TypeError(f"network must be a core.Network, not {network!r}")
    return network


cdef Weights inference_weights(weights) except *:
    """`PackedWeights` in the form for the kernels."""
    network, params, panels = weights
    (<Network?>network).require_mode(False)
    return (<Network>network).weights(params, panels)


cdef Workspace inference_work(Network network, Py_ssize_t n, Py_ssize_t T, Py_ssize_t B, arrays) except *:
    """The workspace of B streams and T of n symbols at a time, after checking the arrays."""
    cdef Workspace work
    cdef Py_ssize_t size = network.itemsize, row = B * network.net.ldg * size
    cdef Py_ssize_t used = 0 if network.net.z_in_h else T
    h, c, before, gates, shared = arrays
    if B < 1 or T < 1 and n:
        raise ValueError(f"a workspace needs at least 1 time step and 1 stream, not {T} x {B}")
    network.kernels.size_workspace(&network.net, T, B, &work)
    shapes = inference_workspace(network, T, B)
    work.h = address("h", h, size, shapes["h"])
    work.c = address("c", c, size, shapes["c"])
    work.before = address("symbols before", before, size, shapes["before"])
    work.gates = address("gates", gates, size, shapes["gates"])
    if not network.net.many:
        raise ValueError("inference needs a network with all weights packed (many=True)")
    work.gates_stride = 0  # all layers use the same array in turn
    work.cut = work.scratch = NULL
    if network.net.boundary >= 0:
        work.cut = <real*>(<char*>work.gates + used * row)
        used += 1
    if used < shapes["gates"][1]:
        work.scratch = <real*>(<char*>work.gates + used * row)
    if shared is not None:
        work.shared = (<SharedStep?>shared).checked(network, B)
    return work


cdef class SharedStep:
    """Several threads that compute the time steps of one stream together; see `shared_step`. A context manager.

    One thread calls `wait_for_all`, and then entry points with this object in the workspace, as often as it likes. All
    other threads `serve`, each with a rank from 1. They return at the end of the context.
    """
    cdef SharedStepPlaces step
    cdef fork_join fork
    cdef Network network

    def __cinit__(self, Network network not None, int n_threads):
        if n_threads < 2:
            raise ValueError(f"a shared step needs at least 2 threads, not {n_threads}")
        fork_init(&self.fork, n_threads - 1)
        self.network = network
        self.step.threads, self.step.fork = n_threads, &self.fork

    cdef SharedStepPlaces* checked(self, Network network, Py_ssize_t B) except NULL:
        """The step, after checking that it belongs to this network and that there is one stream."""
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


cdef Py_ssize_t steps_of(work) except -1:
    """The maximum number of symbols at a time for an `InferenceWorkspace`."""
    return numbers("h", work.h, 4, True).shape[1] - 1


cdef DrawSettings draw_settings(Network network, Controls controls, double[::1] sums, Py_ssize_t texts) except *:
    """The settings of a draw, after checking that their arrays fit this many texts."""
    cdef DrawSettings settings
    if sums is None:
        raise TypeError("sums must be an array, not None")
    require_size("sums", sums.shape[0], sums_size(network.net.V))
    settings.sums, settings.mixture = &sums[0], NULL
    controls.fill(&settings, network.itemsize, texts, network.net.V)
    return settings


def feed(weights not None, const int[:, ::1] x not None, work not None):
    """Advance the states h[:, 0] (and c[:, 0]) over symbols x (n, B).

    As everywhere below, `weights` are `PackedWeights`, and `work` is an `InferenceWorkspace`; see `structures.py`.
    """
    cdef Network network = network_of(weights)
    cdef Py_ssize_t n = x.shape[0]
    cdef Workspace space = inference_work(network, n, steps_of(work), x.shape[1], work)
    cdef Weights w = inference_weights(weights)
    cdef float_mode mode
    require_known_ids(x, network.net.symbols)
    if n:
        with nogil:
            mode = flush_denormals()
            network.kernels.feed(&w, &space, &x[0, 0], n)
            restore_denormals(mode)


cdef class MixedRows:
    """Another model's logits for `sample_texts` to add to the network's, each multiplied by a factor.

    `source` is a capsule with a `RowSource`; `before` are the symbols before the texts, for the source's whole
    context, with -1 before the beginning. `before` may be changed while texts are drawn.
    """
    cdef RowMixture mixture
    cdef object source
    cdef readonly object before
    cdef const int[::1] symbols_before
    cdef int[::1] symbols
    cdef double[::1] row

    def __cinit__(self, double own, double other, source, before not None):
        cdef const RowSource* rows = <const RowSource*>PyCapsule_GetPointer(source, "crnn._kernels.RowSource")
        if not (own >= 0 and other >= 0):
            raise ValueError(f"factors must be at least 0, not {own} and {other}")
        self.source, self.before, self.symbols_before = source, before, before
        require_size("symbols before", self.symbols_before.shape[0], rows.context)
        self.symbols, self.row = np.empty(max(rows.context, 1), np.int32), np.empty(rows.symbols)
        self.mixture.own, self.mixture.other, self.mixture.source = own, other, rows
        self.mixture.symbols, self.mixture.row = &self.symbols[0], &self.row[0]

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
    """The texts and their progress, after checking that the arrays belong together."""
    cdef Py_ssize_t i
    cdef Batch batch = drawn.batch
    cdef int[:, ::1] symbols = drawn.symbols
    cdef Py_ssize_t[::1] lengths = drawn.lengths
    if batch is None or symbols is None or lengths is None:
        raise TypeError("batch, symbols and lengths must be arrays, not None")
    require_size("rows of the batch", batch.texts.shape[0], rows)
    texts.count, texts.width, texts.longest = symbols.shape[0], symbols.shape[1], 0
    texts.max_length = drawn.max_length
    if texts.count < 1 or texts.width < 1 or texts.max_length < 1:
        raise ValueError(f"nothing to draw: {texts.count} texts of at most {texts.max_length} symbols, in "
                         f"{texts.width} columns")
    require_size("lengths", lengths.shape[0], texts.count)
    texts.symbols, texts.lengths = &symbols[0, 0], &lengths[0]
    texts.rows, texts.begun, texts.active = &batch.texts[0], batch.begun, batch.active
    for i in range(batch.active):
        if not (batch.begun <= texts.count and 0 <= batch.texts[i] < batch.begun
                and 0 <= lengths[batch.texts[i]] <= texts.width):
            raise ValueError(f"batch does not belong to these {texts.count} texts of at most {texts.width} symbols")
        texts.longest = max(texts.longest, lengths[batch.texts[i]])


cdef void fill_random(Texts* texts, uint64_t[:, ::1] states, const uint64_t[::1] increment) except *:
    """The streams of random numbers, after checking that there is one for each text."""
    if states is None or increment is None:
        raise TypeError("states and increment of the random numbers must be arrays, not None")
    require_size("streams of numbers", states.shape[0], texts.count)
    require_size("halves of a state", states.shape[1], 2)
    require_size("halves of an increment", increment.shape[0], 2)
    texts.streams, texts.increment = &states[0, 0], wide(&increment[0])


cdef void fill_stops(Texts* texts, const int[::1] stops, const Py_ssize_t[::1] ends) except *:
    """The stops, after checking that none is empty."""
    cdef Py_ssize_t i
    if stops is None or ends is None:
        raise TypeError("stops and their ends must be arrays, not None")
    for i in range(ends.shape[0]):
        if not (ends[i - 1] if i else 0) < ends[i] <= stops.shape[0]:
            raise ValueError(f"stop {i} is empty, or ends outside the {stops.shape[0]} symbols of all stops")
    texts.stop_count = ends.shape[0]
    texts.stops = &stops[0] if texts.stop_count else NULL
    texts.stop_ends = &ends[0] if texts.stop_count else NULL


cdef void fill_start(Texts* texts, Network network, list states) except *:
    """The initial states of all texts."""
    cdef Py_ssize_t of_h_and_c = 2 if network.net.has_c else 1, size = network.itemsize
    shape = (network.net.L, 1, network.net.H)
    require_size("states at the start", len(states), of_h_and_c + network.net.has_before)
    texts.start_h = address("states at the start", states[0], size, shape, False)
    texts.start_c = address("states at the start", states[of_h_and_c - 1], size, shape, False)
    texts.start_before = NULL
    if network.net.has_before:
        texts.start_before = address("symbol at the start", states[of_h_and_c], size, (1, 1, 1), False)


def sample_texts(weights not None, drawn not None, Controls controls not None, Py_ssize_t max_steps,
                 work not None, scratch not None, MixedRows mixture=None):
    """Draw texts in parallel until all have ended, but for at most `max_steps`; see `texts` for when a text ends.

    `drawn` are `DrawnTexts`. A text that ends makes room for the next one or, if there is none, for the last row, so
    that no draw is wasted. The call also ends when an active text has no room left for symbols.

    The workspace holds one symbol at a time for B rows, and `scratch` is a `DrawScratch` for as many. The controls'
    `seen` has a row for each text; the rows of texts that have not begun must be equal. With a
    `mixture`, its other model's logits are added to the network's.
    """
    cdef Network network = network_of(weights)
    cdef Py_ssize_t V = network.net.V, size = network.itemsize
    cdef int[::1] x = scratch.x
    if x is None:
        raise TypeError("x must be an array, not None")
    cdef Py_ssize_t B = x.shape[0]
    cdef Workspace space = inference_work(network, max_steps, 1, B, work)
    cdef Weights w = inference_weights(weights)
    cdef Texts t
    fill_start(&t, network, drawn.start)
    cdef const real* logits_at_start = address("logits at the start", drawn.start_logits, size, (V,), False)
    space.x, space.y = &x[0], address("logits", scratch.y, size, (B + 1, V))
    fill_texts(&t, drawn, B)
    fill_random(&t, drawn.random_states, drawn.increment)
    fill_stops(&t, drawn.stops, drawn.stop_ends)
    cdef DrawSettings settings = draw_settings(network, controls, scratch.sums, t.count)
    if mixture is not None:
        mixture.fill(&settings, &t, network.net.symbols)
    t.start_y = <real*>(<char*>space.y + B * V * size)
    cdef float_mode mode
    with nogil:
        mode = flush_denormals()
        memcpy(t.start_y, logits_at_start, V * size)
        network.kernels.sample_texts(&w, &space, &settings, &t, max_steps)
        restore_denormals(mode)
    cdef Batch batch = drawn.batch
    batch.begun, batch.active = t.begun, t.active


def filter_logits(y, Controls controls not None):
    """y (B, V) = probabilities, up to a factor for each row, after the controls, which need an `order`."""
    cdef Numbers logits = numbers("logits", y, 2, True)
    cdef Py_ssize_t B = logits.shape[0], V = logits.shape[1]
    cdef DrawSettings settings
    settings.sums, settings.mixture = NULL, NULL
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
    cdef Py_ssize_t rows = numbers("units", top, 2, False).shape[0]
    cdef const real* h = address("units", top, network.itemsize, (rows, network.net.H), False)
    cdef real* out = address("logits", y, network.itemsize, (rows, network.net.V))
    cdef real* room = address("scratch", scratch, network.itemsize, (logits_scratch(network, rows),))
    cdef float_mode mode
    if rows:
        with nogil:
            mode = flush_denormals()
            network.kernels.logits(&w, rows, h, out, room)
            restore_denormals(mode)


def logits_scratch(Network network not None, Py_ssize_t rows) -> int:
    """The number of elements of the scratch array of `logits`."""
    return network.kernels.operand_elements(rows, network.net.H)


def logits_before(weights not None, const int[:, ::1] x not None, work not None, y):
    """y[t, b] (V,) = the logits that predict x[t, b]; the states advance over all of x (n, B).

    The workspace is for T symbols at a time.
    """
    cdef Network network = network_of(weights)
    cdef Py_ssize_t n = x.shape[0], B = x.shape[1]
    cdef Workspace space = inference_work(network, n, steps_of(work), B, work)
    cdef Weights w = inference_weights(weights)
    cdef float_mode mode
    space.y = address("logits", y, network.itemsize, (n, B, network.net.V))
    require_known_ids(x, network.net.symbols)
    if n:
        with nogil:
            mode = flush_denormals()
            network.kernels.log_probabilities(&w, &space, &x[0, 0], n, NULL)
            restore_denormals(mode)


def log_probabilities(weights not None, const int[:, ::1] x not None, work not None, y,
                      double[:, ::1] out not None):
    """out[t, b] = log P(x[t, b] | the states and the previous symbols); the states advance over all of x (n, B).

    The workspace and y (T, B, V) are for T symbols at a time.
    """
    cdef Network network = network_of(weights)
    cdef Py_ssize_t n = x.shape[0], B = x.shape[1], T = numbers("logits", y, 3, True).shape[0]
    cdef Workspace space = inference_work(network, n, T, B, work)
    cdef Weights w = inference_weights(weights)
    cdef float_mode mode
    space.y = address("logits", y, network.itemsize, (T, B, network.net.V))
    require_size("streams of output", out.shape[1], B)
    require_size("symbols of output", out.shape[0], n)
    require_known_ids(x, network.net.symbols)
    if n:
        with nogil:
            mode = flush_denormals()
            network.kernels.log_probabilities(&w, &space, &x[0, 0], n, &out[0, 0])
            restore_denormals(mode)


def log_likelihoods(weights not None, const int[::1] ids not None, const Py_ssize_t[::1] starts not None,
                    const Py_ssize_t[::1] lengths not None, Py_ssize_t first, Py_ssize_t last, bint least,
                    work not None, int[::1] x not None, y, double[::1] out not None):
    """out[b] += log P of symbols [first, last) of string b, which is ids[starts[b]:starts[b] + lengths[b]].

    With `least`, out[b] becomes the minimum of itself and each symbol's log P instead.
    The longest strings come first, and the batch shrinks as strings end. The workspace has the states before symbol
    `first`; they advance to `last`, and the states of finished strings are lost. x (T B,) and y (T B, V) are scratch.
    """
    cdef Network network = network_of(weights)
    cdef Py_ssize_t B = lengths.shape[0], T = steps_of(work), b
    cdef Workspace space = inference_work(network, last - first, T, B, work)
    cdef Weights w = inference_weights(weights)
    cdef Strings strings
    require_size("starts", starts.shape[0], B)
    require_size("sums", out.shape[0], B)
    require_size("scratch of symbols", x.shape[0], T * B)
    space.x, space.y = &x[0], address("logits", y, network.itemsize, (T * B, network.net.V))
    for b in range(B):
        if starts[b] < 0 or lengths[b] < 0 or lengths[b] > ids.shape[0] - starts[b]:
            raise ValueError(f"string {b} is not within the {ids.shape[0]} symbols")
        if b and lengths[b] > lengths[b - 1]:
            raise ValueError("strings must be sorted by length, the longest first")
    if first < 0:
        raise ValueError(f"first must be at least 0, not {first}")
    strings.ids, strings.starts, strings.lengths = &ids[0], &starts[0], &lengths[0]
    strings.first, strings.last, strings.least = first, last, least
    cdef bint known
    cdef float_mode mode
    with nogil:
        mode = flush_denormals()
        known = network.kernels.log_likelihoods(&w, &space, &strings, &out[0])
        restore_denormals(mode)
    if not known:
        raise ValueError(f"ids must be from 0 to {network.net.symbols - 1}, below the vocabulary's size "
                         f"{network.net.symbols}")
