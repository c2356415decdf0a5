"""The session: the one way into inference. Part of `core`."""
from ..common.interface cimport LayerArrays


cdef struct StateArrays:  # the arrays of a state outside a session: h, c and before of some streams
    char* h
    char* c
    int* before
    Py_ssize_t streams


cdef struct SessionArrays:  # those that a session has in its memory
    Workspace space
    double* sums
    double* log_p


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

    def __cinit__(self, weights not None, Py_ssize_t T, Py_ssize_t B):
        self.network = network_of(weights)
        self.weights = weights
        self.w = inference_weights(weights)
        if not self.network.net.packing.many:
            raise ValueError("inference needs a network with all weights packed (many=True)")
        self.resize(T, B)

    def resize(self, Py_ssize_t T, Py_ssize_t B):
        """Make room for T symbols at a time of B streams; the states held so far are lost."""
        cdef SessionArrays arrays
        cdef Py_ssize_t n_bytes
        if T == self.T and B == self.B:
            return
        require_rows(T, B)
        n_bytes = place_arrays(self.network, T, B, NULL, &arrays) + CACHE_LINE
        if self.memory is None or len(self.memory) < n_bytes:
            self.memory = np.empty(n_bytes, np.uint8)
        cdef unsigned char[::1] memory = self.memory
        cdef char* first_line = <char*>&memory[0] + (-<size_t>&memory[0]) % CACHE_LINE
        place_arrays(self.network, T, B, first_line, &arrays)
        self.space = arrays.space
        self.sums = arrays.sums
        self.log_p = arrays.log_p
        self.T = T
        self.B = B

    cdef int find(self, tuple state, bint writable, StateArrays* found) except -1:
        """Find the arrays of a state, after checking them."""
        cdef NetworkLayout* net = &self.network.net
        cdef Py_ssize_t L = net.dims.L
        cdef Py_ssize_t units = net.dims.units
        cdef Py_ssize_t size = self.network.itemsize
        cdef Py_ssize_t of_h_and_c = 2 if net.cell.has_c else 1
        require_size("arrays of a state", 0 if state is None else len(state), of_h_and_c + net.inputs.has_before)
        found.streams = -1
        found.h = state_address(state[0], size, L, units, writable, &found.streams)
        found.c = NULL
        if net.cell.has_c:
            found.c = state_address(state[1], size, L, units, writable, &found.streams)
        found.before = NULL
        if net.inputs.has_before:
            shape = 1, found.streams, 1
            found.before = <int*>integers("symbols of a state", state[of_h_and_c], "int32", shape, writable)
        return 0

    cdef int check(self, const int[:, ::1] x, tuple state, SharedStep shared, StateArrays* found) except -1:
        """Check the symbols x (n, B) and the state, which is found."""
        require_size("streams of symbols", x.shape[1], self.B)
        require_known_ids(x, self.network.net.dims.symbols)
        self.find(state, writable=True, found=found)
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
        self.copy_rows(state.h, state.streams, row, self.space.layers.h, b, out)
        if state.c != NULL:
            self.copy_rows(state.c, state.streams, row, self.space.layers.c, b, out)
        if state.before != NULL:
            copy_bytes(<char*>(state.before + row), <char*>(self.space.inputs.before + b), sizeof(int), out)

    cdef void copy_rows(self, char* array, Py_ssize_t streams, Py_ssize_t row, real* inside, Py_ssize_t b,
                        bint out) noexcept nogil:
        """Copy a stream's row of each layer; the units' padding in the session is 0."""
        cdef Py_ssize_t size = self.network.itemsize
        cdef Py_ssize_t bytes_of_units = self.network.net.dims.units * size
        cdef Py_ssize_t padded_bytes = self.network.net.dims.H * size
        cdef Py_ssize_t l
        cdef char* padded
        for l in range(self.network.net.dims.L):
            padded = <char*>inside + l * self.space.layers.stride * size + b * padded_bytes
            copy_bytes(array + (l * streams + row) * bytes_of_units, padded, bytes_of_units, out)
            if bytes_of_units < padded_bytes and not out:
                memset(padded + bytes_of_units, 0, padded_bytes - bytes_of_units)

    cdef int advance(self, const int[:, ::1] x, tuple state, SharedStep shared, double* out, real* y) except -1:
        """Advance the state over symbols x (n, B), and store their log P in `out` or their logits in y, if given."""
        cdef StateArrays found
        self.check(x, state, shared, &found)
        cdef Workspace space = self.space
        cdef Py_ssize_t n = x.shape[0]
        cdef float_mode mode
        if y != NULL:
            space.decoder.y = y
        if n:
            with nogil:
                mode = flush_denormals()
                self.copy(&found, 0, out=False)
                if out == NULL and y == NULL:
                    self.network.kernels.feed(&self.w, &space, &x[0, 0], n)
                else:
                    self.network.kernels.log_probabilities(&self.w, &space, &x[0, 0], n, out)
                self.copy(&found, 0, out=True)
                restore_denormals(mode)
        return 0

    def feed(self, const int[:, ::1] x not None, tuple state, SharedStep shared=None):
        """Advance the state over symbols x (n, B)."""
        self.advance(x, state, shared, out=NULL, y=NULL)

    def log_probabilities(self, const int[:, ::1] x not None, tuple state, double[:, ::1] out not None,
                          SharedStep shared=None):
        """out[t, b] = log P(x[t, b] | the state and the previous symbols); the state advances over all of x (n, B)."""
        require_size("symbols of output", out.shape[0], x.shape[0])
        require_size("streams of output", out.shape[1], self.B)
        cdef double* first = &out[0, 0] if out.shape[0] else NULL
        self.advance(x, state, shared, out=first, y=NULL)

    def read(self, const int[:, ::1] x not None, tuple state, const Py_ssize_t[::1] rows not None, tuple after,
             double[:, ::1] sums not None, Py_ssize_t first, Py_ssize_t last):
        """Read x[:, i] after the state of stream rows[i], which stays; stream i of `after` becomes the state after it.

        For the columns [first, last) of x (n, N), B at a time. log P of each symbol is added to sums[0, i] and to
        sums[1, i], and sums[2, i] becomes the minimum of itself and of each of them; a NaN stays.
        """
        cdef StateArrays old, new
        cdef Py_ssize_t N = x.shape[1]
        cdef Py_ssize_t i
        cdef float_mode mode
        require_known_ids(x, self.network.net.dims.symbols)
        require_size("rows", rows.shape[0], N)
        require_size("sums of a stream", sums.shape[0], 3)
        require_size("streams of sums", sums.shape[1], N)
        self.find(state, writable=False, found=&old)
        self.find(after, writable=True, found=&new)
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
                self.begin(min(self.B, last - first))
                self.copy_chosen(&old, &rows[first])
                self.read_columns(x, first, sums)
                self.copy(&new, first, out=True)
                first += self.space.B
            self.begin(self.B)
            restore_denormals(mode)

    cdef void begin(self, Py_ssize_t B) noexcept nogil:
        """Use the first B streams of the memory."""
        self.space.B = B
        self.space.layers.step_stride = B * self.network.net.dims.H

    cdef void copy_chosen(self, const StateArrays* state, const Py_ssize_t* rows) noexcept nogil:
        """Copy the streams rows[b] of a state into the session."""
        cdef Py_ssize_t b
        for b in range(self.space.B):
            self.copy_stream(state, rows[b], b, out=False)

    cdef void read_columns(self, const int[:, ::1] x, Py_ssize_t first, double[:, ::1] sums) noexcept nogil:
        """Read the columns of x (n, N) from the first on, one for each stream in use; change their `sums` (3, N)."""
        cdef Py_ssize_t t, b, i
        cdef double log_p
        for t in range(x.shape[0]):
            memcpy(self.space.x, &x[t, first], self.space.B * sizeof(int))
            self.network.kernels.log_probabilities(&self.w, &self.space, self.space.x, 1, self.log_p)
            for b in range(self.space.B):
                i = first + b
                log_p = self.log_p[b]
                sums[0, i] += log_p
                sums[1, i] += log_p
                if log_p < sums[2, i] or log_p != log_p:
                    sums[2, i] = log_p

    def logits_before(self, const int[:, ::1] x not None, tuple state, y, SharedStep shared=None):
        """y[t, b] (V,) = the logits that predict x[t, b]; the state advances over all of x (n, B)."""
        shape = x.shape[0], self.B, self.network.net.dims.V
        self.advance(x, state, shared, out=NULL, y=address("logits", y, self.network.itemsize, shape))

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
        cdef Py_ssize_t symbols = self.network.net.dims.symbols
        cdef Py_ssize_t b
        cdef bint begin = start is not None
        cdef bint known
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
            self.find(start, writable=False, found=&found)
            require_size("streams of the start", found.streams, 1)
        self.space.shared = NULL if shared is None else shared.checked(self.network, self.B)
        cdef Workspace space = self.space
        strings.ids = &ids[0]
        strings.starts = &starts[0]
        strings.lengths = &lengths[0]
        strings.first = first
        strings.last = last
        strings.least = least
        with nogil:
            mode = flush_denormals()
            if begin:
                for b in range(self.B):
                    self.copy_stream(&found, 0, b, out=False)
            known = self.network.kernels.log_likelihoods(&self.w, &space, &strings, &out[0])
            restore_denormals(mode)
        if not known:
            raise ValueError(f"ids must be from 0 to {symbols - 1}, below the vocabulary's size {symbols}")

    def hidden(self) -> tuple:
        """Return the states (L, T + 1, B, H) of the last call's last T symbols or fewer, with the units' padding."""
        if self.network.net.cell.has_c:
            return self.view_of(self.space.layers.h), self.view_of(self.space.layers.c)
        return self.view_of(self.space.layers.h),

    cdef object view_of(self, const real* states):
        """Return a view of one of the session's arrays of states, (L, T + 1, B, H)."""
        cdef Dims* dims = &self.network.net.dims
        cdef unsigned char[::1] memory = self.memory
        cdef Py_ssize_t first = <const char*>states - <const char*>&memory[0]
        cdef Py_ssize_t n_bytes = dims.L * (self.T + 1) * self.B * dims.H * self.network.itemsize
        dtype = np.float32 if self.network.itemsize == sizeof(float) else np.float64
        return self.memory[first:first + n_bytes].view(dtype).reshape(dims.L, self.T + 1, self.B, dims.H)


cdef enum:
    CACHE_LINE = 64  # bytes


cdef struct Room:  # memory given to one array after the other
    char* base  # NULL: only sizes are wanted
    Py_ssize_t used  # bytes


cdef Py_ssize_t place_arrays(Network network, Py_ssize_t T, Py_ssize_t B, char* base, SessionArrays* arrays) noexcept:
    """Give each array of a session the next part of the memory at `base`; return how many bytes they need."""
    cdef NetworkLayout* net = &network.net
    cdef LayerArrays* layers = &arrays.space.layers
    cdef Py_ssize_t size = network.itemsize
    cdef Py_ssize_t rows = T * B
    cdef Py_ssize_t states = net.dims.L * (T + 1) * B * net.dims.H
    cdef Py_ssize_t gates = 0 if net.cell.z_in_h else rows * net.dims.ldg
    cdef Py_ssize_t scratch = network.kernels.operand_elements(rows, net.dims.H)
    cdef Room room = Room(base, 0)
    memset(arrays, 0, sizeof(SessionArrays))
    network.kernels.size_workspace(net, T, B, &arrays.space)
    layers.h = <real*>next_part(&room, states * size)
    layers.c = <real*>next_part(&room, states * size) if net.cell.has_c else NULL
    layers.gates = <real*>next_part(&room, gates * size)
    layers.gates_stride = 0  # all layers share them
    # With a boundary, a row for the states of one step.
    layers.cut = <real*>next_part(&room, B * net.dims.ldg * size) if net.boundary.symbol >= 0 else NULL
    arrays.space.scratch = <real*>next_part(&room, scratch * size) if scratch else NULL
    arrays.space.decoder.y = <real*>next_part(&room, (rows + 1) * net.dims.V * size)
    arrays.space.inputs.before = <int*>next_part(&room, B * sizeof(int)) if net.inputs.has_before else NULL
    arrays.space.x = <int*>next_part(&room, rows * sizeof(int))
    arrays.sums = <double*>next_part(&room, sums_size(net.dims.V) * sizeof(double))
    arrays.log_p = <double*>next_part(&room, rows * sizeof(double))
    return room.used


cdef inline char* next_part(Room* room, Py_ssize_t n_bytes) noexcept:
    """Return the next part of the memory, from a cache line on."""
    cdef Py_ssize_t first = room.used
    room.used += whole_lines(n_bytes)
    return NULL if room.base == NULL else room.base + first


cdef inline Py_ssize_t whole_lines(Py_ssize_t n_bytes) noexcept nogil:
    """Return a number of bytes, rounded up to whole cache lines."""
    return (n_bytes + CACHE_LINE - 1) // CACHE_LINE * CACHE_LINE


cdef inline void copy_bytes(char* outside, char* inside, Py_ssize_t n, bint out) noexcept nogil:
    """Copy into the session, or `out` of it."""
    if out:
        memcpy(outside, inside, n)
    else:
        memcpy(inside, outside, n)


cdef char* state_address(array, Py_ssize_t itemsize, Py_ssize_t layers, Py_ssize_t units, bint writable,
                         Py_ssize_t* streams) except? NULL:
    """Return the address of a state's array (layers, streams, units), after checking it; set `streams` if it is -1."""
    cdef Numbers found = numbers("state", array, 3, writable)
    if streams[0] < 0:
        streams[0] = found.shape[1]
    if (found.itemsize != itemsize or found.shape[0] != layers or found.shape[1] != streams[0]
            or found.shape[2] != units):
        raise ValueError(f"state: shape is {array.shape} with numbers of {found.itemsize} bytes, but must be "
                         f"({layers}, {streams[0]}, {units}) with {itemsize} bytes")
    return <char*>found.first
