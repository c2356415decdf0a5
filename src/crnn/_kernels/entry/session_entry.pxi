"""The session: the one way into inference. Part of `core`."""


cdef struct StateArrays:  # the arrays of a state outside a session: h, c and before of some streams
    char* h
    char* c
    int* before
    Py_ssize_t streams


cdef class Session:
    """A network, and memory of its own for B streams, T symbols at a time; calls of one thread, one after another.

    Its arrays are allocated and checked once, since this takes longer than reading a symbol. A state is a tuple of
    arrays of N streams without the units' padding: h (L, N, units), c likewise if the cell has one, and with a table
    of pairs `before` (1, N, 1) of int32. All streams of a state advance completely or, if a call raises an error, not
    at all: no signal is handled on the way. Threads may share the steps of one stream: see `SharedStep`. `weights` are
    `PackedWeights`.
    """
    cdef readonly Network network
    cdef readonly Py_ssize_t T
    cdef readonly Py_ssize_t B
    cdef Weights w
    cdef Workspace space
    cdef double* sums  # for a draw
    cdef double* log_p  # (T, B), for `read`
    cdef object weights
    cdef object memory
    cdef char* at

    def __cinit__(self, weights not None, Py_ssize_t T, Py_ssize_t B):
        self.network, self.weights, self.w = network_of(weights), weights, inference_weights(weights)
        if not self.network.net.many:
            raise ValueError("inference needs a network with all weights packed (many=True)")
        self.resize(T, B)

    def resize(self, Py_ssize_t T, Py_ssize_t B):
        """Make room for T symbols at a time of B streams; the states held so far are lost."""
        cdef NetworkPlaces* net = &self.network.net
        cdef Py_ssize_t size = self.network.itemsize, steps = 0 if net.z_in_h else T, row = B * net.ldg, states
        cdef Py_ssize_t scratch = self.network.kernels.operand_elements(T * B, net.H), n_bytes = CACHE_LINE
        if T == self.T and B == self.B:
            return
        require_rows(T, B)
        states = net.L * (T + 1) * B * net.H
        for n in (states, states if net.has_c else 0, (steps + 1) * row, scratch, (T * B + 1) * net.V):
            n_bytes += whole_lines(n * size)
        n_bytes += whole_lines(B * sizeof(int)) if net.has_before else 0
        n_bytes += whole_lines(T * B * sizeof(int)) + whole_lines(T * B * sizeof(double))
        n_bytes += whole_lines(sums_size(net.V) * sizeof(double))
        if self.memory is None or len(self.memory) < n_bytes:
            self.memory = np.empty(n_bytes, np.uint8)
        cdef unsigned char[::1] memory = self.memory
        self.at = <char*>&memory[0] + (-<size_t>&memory[0]) % CACHE_LINE
        self.network.kernels.size_workspace(net, T, B, &self.space)
        self.space.h = <real*>self.part(states * size)
        self.space.c = <real*>self.part(states * size) if net.has_c else NULL
        self.space.before = <int*>self.part(B * sizeof(int)) if net.has_before else NULL
        self.space.gates, self.space.gates_stride = <real*>self.part((steps + 1) * row * size), 0  # for each layer
        # With a boundary, a row for the states of one step.
        self.space.cut = <real*>(<char*>self.space.gates + steps * row * size) if net.boundary >= 0 else NULL
        self.space.scratch = <real*>self.part(scratch * size) if scratch else NULL
        self.space.y = <real*>self.part((T * B + 1) * net.V * size)
        self.space.x = <int*>self.part(T * B * sizeof(int))
        self.sums = <double*>self.part(sums_size(net.V) * sizeof(double))
        self.log_p = <double*>self.part(T * B * sizeof(double))
        self.T, self.B = T, B

    cdef char* part(self, Py_ssize_t n_bytes) noexcept:
        """The next part of the memory."""
        cdef char* first = self.at
        self.at += whole_lines(n_bytes)
        return first

    cdef int find(self, tuple state, bint writable, StateArrays* found) except -1:
        """Find the arrays of a state, after checking them."""
        cdef NetworkPlaces* net = &self.network.net
        cdef Py_ssize_t of_h_and_c = 2 if net.has_c else 1, size = self.network.itemsize
        require_size("arrays of a state", 0 if state is None else len(state), of_h_and_c + net.has_before)
        found.streams = -1
        found.h = state_address(state[0], size, net.L, net.units, writable, &found.streams)
        found.c = state_address(state[1], size, net.L, net.units, writable, &found.streams) if net.has_c else NULL
        found.before = NULL
        if net.has_before:
            shape = 1, found.streams, 1
            found.before = <int*>integers("symbols of a state", state[of_h_and_c], "int32", shape, writable)
        return 0

    cdef int check(self, const int[:, ::1] x, tuple state, SharedStep shared, StateArrays* found) except -1:
        """Check the symbols x (n, B) and the state, which is found."""
        require_size("streams of symbols", x.shape[1], self.B)
        require_known_ids(x, self.network.net.symbols)
        self.find(state, True, found)
        require_size("streams read", found.streams, self.B)
        self.space.shared = NULL if shared is None else shared.checked(self.network, self.B)
        return 0

    cdef void copy(self, const StateArrays* state, Py_ssize_t first, bint out) noexcept nogil:
        """Copy the streams of a state from the first on into the session, or `out` of it."""
        cdef Py_ssize_t b
        for b in range(self.space.B):
            self.copy_stream(state, first + b, b, out)

    cdef void copy_stream(self, const StateArrays* state, Py_ssize_t row, Py_ssize_t b, bint out) noexcept nogil:
        """Copy a stream of a state into stream b of the session, or `out` of it."""
        self.copy_rows(state.h, state.streams, row, self.space.h, b, out)
        if state.c != NULL:
            self.copy_rows(state.c, state.streams, row, self.space.c, b, out)
        if state.before != NULL:
            copy_bytes(<char*>(state.before + row), <char*>(self.space.before + b), sizeof(int), out)

    cdef void copy_rows(self, char* array, Py_ssize_t streams, Py_ssize_t row, real* own, Py_ssize_t b,
                        bint out) noexcept nogil:
        """Copy a stream's row of each layer; the units' padding in the session is 0."""
        cdef Py_ssize_t l, size = self.network.itemsize, H = self.network.net.H * size
        cdef Py_ssize_t units = self.network.net.units * size
        cdef char* padded
        for l in range(self.network.net.L):
            padded = <char*>own + l * self.space.layer_stride * size + b * H
            copy_bytes(array + (l * streams + row) * units, padded, units, out)
            if units < H and not out:
                memset(padded + units, 0, H - units)

    cdef int advance(self, const int[:, ::1] x, tuple state, SharedStep shared, double* out, real* y) except -1:
        """Advance the state over symbols x (n, B), and store their log P in `out` or their logits in y, if given."""
        cdef StateArrays found
        self.check(x, state, shared, &found)
        cdef Workspace space = self.space
        cdef Py_ssize_t n = x.shape[0]
        cdef float_mode mode
        if y != NULL:
            space.y = y
        if n:
            with nogil:
                mode = flush_denormals()
                self.copy(&found, 0, False)
                if out == NULL and y == NULL:
                    self.network.kernels.feed(&self.w, &space, &x[0, 0], n)
                else:
                    self.network.kernels.log_probabilities(&self.w, &space, &x[0, 0], n, out)
                self.copy(&found, 0, True)
                restore_denormals(mode)
        return 0

    def feed(self, const int[:, ::1] x not None, tuple state, SharedStep shared=None):
        """Advance the state over symbols x (n, B)."""
        self.advance(x, state, shared, NULL, NULL)

    def log_probabilities(self, const int[:, ::1] x not None, tuple state, double[:, ::1] out not None,
                          SharedStep shared=None):
        """out[t, b] = log P(x[t, b] | the state and the previous symbols); the state advances over all of x (n, B)."""
        require_size("symbols of output", out.shape[0], x.shape[0])
        require_size("streams of output", out.shape[1], self.B)
        self.advance(x, state, shared, &out[0, 0] if out.shape[0] else NULL, NULL)

    def read(self, const int[:, ::1] x not None, tuple state, const Py_ssize_t[::1] rows not None, tuple after,
             double[:, ::1] sums not None, Py_ssize_t first, Py_ssize_t last):
        """Read x[:, i] after the state of stream rows[i], which stays; stream i of `after` becomes the state after it.

        For the columns [first, last) of x (n, N), B at a time. log P of each symbol is added to sums[0, i] and to
        sums[1, i], and sums[2, i] becomes the minimum of itself and of each of them; a NaN stays.
        """
        cdef StateArrays old, new
        cdef Py_ssize_t n = x.shape[0], N = x.shape[1], B = self.B, t, b, i
        cdef double log_p
        cdef float_mode mode
        require_known_ids(x, self.network.net.symbols)
        require_size("rows", rows.shape[0], N)
        require_size("sums of a stream", sums.shape[0], 3)
        require_size("streams of sums", sums.shape[1], N)
        self.find(state, False, &old)
        self.find(after, True, &new)
        require_size("streams after", new.streams, N)
        if not 0 <= first <= last <= N:
            raise ValueError(f"first and last must be from 0 to {N}, in order, not {first} and {last}")
        for i in range(first, last):
            if not 0 <= rows[i] < old.streams:
                raise ValueError(f"rows must be from 0 to {old.streams - 1}, not {rows[i]}")
        self.space.shared = NULL
        with nogil:
            mode = flush_denormals()
            while first < last:
                self.begin(min(B, last - first))
                for b in range(self.space.B):
                    self.copy_stream(&old, rows[first + b], b, False)
                for t in range(n):
                    memcpy(self.space.x, &x[t, first], self.space.B * sizeof(int))
                    self.network.kernels.log_probabilities(&self.w, &self.space, self.space.x, 1, self.log_p)
                    for b in range(self.space.B):
                        i, log_p = first + b, self.log_p[b]
                        sums[0, i] += log_p
                        sums[1, i] += log_p
                        if log_p < sums[2, i] or log_p != log_p:
                            sums[2, i] = log_p
                self.copy(&new, first, True)
                first += self.space.B
            self.begin(B)
            restore_denormals(mode)

    cdef void begin(self, Py_ssize_t B) noexcept nogil:
        """Use the first B streams of the memory."""
        self.space.B, self.space.step_stride = B, B * self.network.net.H

    def logits_before(self, const int[:, ::1] x not None, tuple state, y, SharedStep shared=None):
        """y[t, b] (V,) = the logits that predict x[t, b]; the state advances over all of x (n, B)."""
        shape = x.shape[0], self.B, self.network.net.V
        self.advance(x, state, shared, NULL, address("logits", y, self.network.itemsize, shape))

    def log_likelihoods(self, const int[::1] ids not None, const Py_ssize_t[::1] starts not None,
                        const Py_ssize_t[::1] lengths not None, Py_ssize_t first, Py_ssize_t last, bint least,
                        tuple start, double[::1] out not None, SharedStep shared=None):
        """out[b] += log P of symbols [first, last) of string b, which is ids[starts[b]:starts[b] + lengths[b]].

        With `least`, out[b] becomes the minimum of itself and each symbol's log P instead. The longest strings come
        first, and the batch shrinks as strings end. All of them begin with the state `start` of one stream, which stays
        as it is; without it they continue where the last call ended.
        """
        cdef StateArrays found
        cdef Strings strings
        cdef Py_ssize_t b
        cdef bint begin = start is not None, known
        cdef float_mode mode
        require_size("lengths", lengths.shape[0], self.B)
        require_size("starts", starts.shape[0], self.B)
        require_size("sums", out.shape[0], self.B)
        for b in range(self.B):
            if starts[b] < 0 or lengths[b] < 0 or lengths[b] > ids.shape[0] - starts[b]:
                raise ValueError(f"string {b} is not within the {ids.shape[0]} symbols")
            if b and lengths[b] > lengths[b - 1]:
                raise ValueError("strings must be sorted by length, the longest first")
        if first < 0:
            raise ValueError(f"first must be at least 0, not {first}")
        if begin:
            self.find(start, False, &found)
            require_size("streams of the start", found.streams, 1)
        self.space.shared = NULL if shared is None else shared.checked(self.network, self.B)
        cdef Workspace space = self.space
        strings.ids, strings.starts, strings.lengths = &ids[0], &starts[0], &lengths[0]
        strings.first, strings.last, strings.least = first, last, least
        with nogil:
            mode = flush_denormals()
            for b in range(self.B if begin else 0):
                self.copy_stream(&found, 0, b, False)
            known = self.network.kernels.log_likelihoods(&self.w, &space, &strings, &out[0])
            restore_denormals(mode)
        if not known:
            raise ValueError(f"ids must be from 0 to {self.network.net.symbols - 1}, below the vocabulary's size "
                             f"{self.network.net.symbols}")

    def hidden(self) -> tuple:
        """The states (L, T + 1, B, H) of the last call's last T symbols or fewer, with the units' padding."""
        cdef NetworkPlaces* net = &self.network.net
        dtype = np.float32 if self.network.itemsize == sizeof(float) else np.float64
        shape = net.L, self.T + 1, self.B, net.H
        cdef unsigned char[::1] memory = self.memory
        found = []
        for k in range(2 if net.has_c else 1):
            first = <char*>(self.space.c if k else self.space.h) - <char*>&memory[0]
            count = net.L * (self.T + 1) * self.B * net.H
            found.append(self.memory[first:first + count * self.network.itemsize].view(dtype).reshape(shape))
        return tuple(found)


cdef enum:
    CACHE_LINE = 64  # bytes


cdef inline Py_ssize_t whole_lines(Py_ssize_t n_bytes) noexcept nogil:
    """A number of bytes, rounded up to whole cache lines."""
    return (n_bytes + CACHE_LINE - 1) // CACHE_LINE * CACHE_LINE


cdef inline void copy_bytes(char* outside, char* inside, Py_ssize_t n, bint out) noexcept nogil:
    """Copy into the session, or `out` of it."""
    if out:
        memcpy(outside, inside, n)
    else:
        memcpy(inside, outside, n)


cdef char* state_address(array, Py_ssize_t itemsize, Py_ssize_t layers, Py_ssize_t units, bint writable,
                         Py_ssize_t* streams) except? NULL:
    """The address of a state's array (layers, streams, units), after checking it; sets `streams` if unknown (-1)."""
    cdef Numbers found = numbers("state", array, 3, writable)
    if streams[0] < 0:
        streams[0] = found.shape[1]
    if (found.itemsize != itemsize or found.shape[0] != layers or found.shape[1] != streams[0]
            or found.shape[2] != units):
        raise ValueError(f"state: shape is {array.shape} with numbers of {found.itemsize} bytes, but must be "
                         f"({layers}, {streams[0]}, {units}) with {itemsize} bytes")
    return <char*>found.first
