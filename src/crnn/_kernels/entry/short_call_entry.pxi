"""Entry points for short calls: arrays checked once for many calls that read a few symbols. Part of `core`."""


cdef struct OneState:  # the addresses of one stream's state arrays outside a workspace: h, c and before
    char* h
    char* c
    char* before


cdef class ShortCall:
    """A workspace for calls that read up to n symbols of one stream, one call at a time.

    Checking the arrays of a workspace takes longer than reading a symbol, so it is done once. The arguments of a call
    are checked at the call. A state is a tuple of arrays named as in `inference_workspace`, for one stream and without
    the units' padding: h (L, 1, units), c likewise if the cell has one, and `before` (1, 1, 1) with a table of pairs.
    A state advances completely or, if a call raises an error, not at all: no signal is handled on the way.

    `x` (n,) and `y` (n, 1, V) are scratch.
    """
    cdef Network network
    cdef Weights w
    cdef Workspace space
    cdef object weights
    cdef readonly object work
    cdef readonly object x
    cdef readonly object y
    cdef readonly Py_ssize_t n

    def __cinit__(self, weights not None, work not None, x not None, y not None):
        cdef Network network = network_of(weights)
        cdef Py_ssize_t n = steps_of(work)
        cdef int[::1] room = x
        self.w = inference_weights(weights)
        self.space = inference_work(network, n, n, 1, work)
        require_size("scratch of symbols", room.shape[0], n)
        self.space.x, self.space.y = &room[0], address("logits", y, network.itemsize, (n, 1, network.net.V))
        self.network, self.weights, self.work, self.x, self.y, self.n = network, weights, work, x, y, n

    cdef Py_ssize_t check(self, const int[:, ::1] x, tuple state, bint writable, OneState* found) except -1:
        """Return the number of symbols x (n, 1), and find the arrays of the state."""
        cdef NetworkPlaces* net
        cdef Py_ssize_t of_h_and_c, size
        net, size, of_h_and_c = &self.network.net, self.network.itemsize, 2 if self.network.net.has_c else 1
        if x.shape[0] > self.n or x.shape[1] != 1:
            raise ValueError(f"symbols: shape is ({x.shape[0]}, {x.shape[1]}), but must be at most ({self.n}, 1)")
        require_known_ids(x, net.symbols)
        require_size("arrays of a state", 0 if state is None else len(state), of_h_and_c + net.has_before)
        found.h = state_address(state[0], size, net.L, net.units, writable)
        found.c = state_address(state[1], size, net.L, net.units, writable) if net.has_c else NULL
        found.before = state_address(state[of_h_and_c], size, 1, 1, writable) if net.has_before else NULL
        return x.shape[0]

    cdef void take(self, const OneState* state) noexcept nogil:
        """Copy a state into the workspace, where the units' padding stays zero."""
        cdef Py_ssize_t l, size = self.network.itemsize, row = self.network.net.units * size
        cdef Py_ssize_t layer = self.space.layer_stride * size
        for l in range(self.network.net.L):
            memcpy(<char*>self.space.h + l * layer, state.h + l * row, row)
            if state.c != NULL:
                memcpy(<char*>self.space.c + l * layer, state.c + l * row, row)
        if state.before != NULL:
            memcpy(self.space.before, state.before, size)

    cdef void give(self, const OneState* state) noexcept nogil:
        """Copy the final state of the workspace back to its arrays."""
        cdef Py_ssize_t l, size = self.network.itemsize, row = self.network.net.units * size
        cdef Py_ssize_t layer = self.space.layer_stride * size
        for l in range(self.network.net.L):
            memcpy(state.h + l * row, <char*>self.space.h + l * layer, row)
            if state.c != NULL:
                memcpy(state.c + l * row, <char*>self.space.c + l * layer, row)
        if state.before != NULL:
            memcpy(state.before, self.space.before, size)

    def feed(self, const int[:, ::1] x not None, tuple state):
        """Advance the state over symbols x (n, 1)."""
        cdef OneState found
        cdef Py_ssize_t n = self.check(x, state, True, &found)
        cdef Workspace space = self.space
        cdef float_mode mode
        if n:
            with nogil:
                mode = flush_denormals()
                self.take(&found)
                self.network.kernels.feed(&self.w, &space, &x[0, 0], n)
                self.give(&found)
                restore_denormals(mode)

    def log_probabilities(self, const int[:, ::1] x not None, tuple state, double[:, ::1] out not None):
        """out[t, 0] = log P(x[t, 0] | the state and the previous symbols); the state advances over all of x (n, 1)."""
        cdef OneState found
        cdef Py_ssize_t n = self.check(x, state, True, &found)
        cdef Workspace space = self.space
        cdef float_mode mode
        require_size("symbols of output", out.shape[0], n)
        require_size("streams of output", out.shape[1], 1)
        if n:
            with nogil:
                mode = flush_denormals()
                self.take(&found)
                self.network.kernels.log_probabilities(&self.w, &space, &x[0, 0], n, &out[0, 0])
                self.give(&found)
                restore_denormals(mode)

    def log_likelihood(self, const int[:, ::1] x not None, tuple state, bint least) -> float:
        """Return log P of the string x (n, 1) after a state, unchanged; `least`: of its least probable symbol."""
        cdef OneState found
        cdef Py_ssize_t start = 0, n = self.check(x, state, False, &found)
        cdef Workspace space = self.space
        cdef Strings string
        cdef double log_p = 0
        cdef float_mode mode
        if n:
            string.ids, string.starts, string.lengths = &x[0, 0], &start, &n
            string.first, string.last, string.least = 0, n, least
            with nogil:
                mode = flush_denormals()
                self.take(&found)
                self.network.kernels.log_likelihoods(&self.w, &space, &string, &log_p)
                restore_denormals(mode)
        return log_p


cdef char* state_address(array, Py_ssize_t itemsize, Py_ssize_t layers, Py_ssize_t units, bint writable) except? NULL:
    """The address of an array (layers, 1, units) of a state, after checking it."""
    cdef Numbers found = numbers("state", array, 3, writable)
    if found.itemsize != itemsize or found.shape[0] != layers or found.shape[1] != 1 or found.shape[2] != units:
        raise ValueError(f"state: shape is {array.shape} with numbers of {found.itemsize} bytes, but must be "
                         f"({layers}, 1, {units}) with {itemsize} bytes")
    return <char*>found.first
