import CLibUV

extension UVError {
    /// A libuv error code. The constants are libuv's `UV_E…` under Swift names; each mentions its C name for searching.
    public struct Code: RawRepresentable, Hashable, Sendable {
        /// libuv's number, which is negative and may differ between platforms.
        public let rawValue: Int32

        /// Wraps a number that libuv returned. A number unknown to libuv is named `Unknown system error N`.
        public init(rawValue: Int32) { self.rawValue = rawValue }

        private init(_ code: uv_errno_t) { rawValue = code.rawValue }

        /// libuv's name, for example `ECONNREFUSED`. The corresponding libuv function is `uv_err_name_r`.
        public var name: String { text(uv_err_name_r) }

        /// libuv's text, for example `connection refused`. The corresponding libuv function is `uv_strerror_r`.
        public var message: String { text(uv_strerror_r) }

        private func text(_ copy: (Int32, UnsafeMutablePointer<CChar>?, Int) -> UnsafeMutablePointer<CChar>?) -> String
        {
            withUnsafeTemporaryAllocation(of: CChar.self, capacity: 256) { buffer in
                buffer.initialize(repeating: 0)
                _ = copy(rawValue, buffer.baseAddress, buffer.count)
                return String(cString: buffer.baseAddress!)
            }
        }
    }
}

extension UVError.Code {
    /// Argument list too long. The libuv constant is `UV_E2BIG`.
    public static let argumentListTooLong = Self(UV_E2BIG)
    /// Permission denied. The libuv constant is `UV_EACCES`.
    public static let permissionDenied = Self(UV_EACCES)
    /// Address already in use. The libuv constant is `UV_EADDRINUSE`.
    public static let addressInUse = Self(UV_EADDRINUSE)
    /// Address not available. The libuv constant is `UV_EADDRNOTAVAIL`.
    public static let addressNotAvailable = Self(UV_EADDRNOTAVAIL)
    /// Address family not supported. The libuv constant is `UV_EAFNOSUPPORT`.
    public static let addressFamilyNotSupported = Self(UV_EAFNOSUPPORT)
    /// Resource temporarily unavailable. The libuv constant is `UV_EAGAIN`.
    public static let resourceTemporarilyUnavailable = Self(UV_EAGAIN)
    /// Address family not supported. The libuv constant is `UV_EAI_ADDRFAMILY`.
    public static let nameAddressFamilyNotSupported = Self(UV_EAI_ADDRFAMILY)
    /// Temporary failure. The libuv constant is `UV_EAI_AGAIN`.
    public static let nameTemporaryFailure = Self(UV_EAI_AGAIN)
    /// Bad `ai_flags` value. The libuv constant is `UV_EAI_BADFLAGS`.
    public static let nameBadFlags = Self(UV_EAI_BADFLAGS)
    /// Invalid value for hints. The libuv constant is `UV_EAI_BADHINTS`.
    public static let nameBadHints = Self(UV_EAI_BADHINTS)
    /// Request canceled. The libuv constant is `UV_EAI_CANCELED`.
    public static let nameCanceled = Self(UV_EAI_CANCELED)
    /// Permanent failure. The libuv constant is `UV_EAI_FAIL`.
    public static let namePermanentFailure = Self(UV_EAI_FAIL)
    /// `ai_family` not supported. The libuv constant is `UV_EAI_FAMILY`.
    public static let nameFamilyNotSupported = Self(UV_EAI_FAMILY)
    /// Out of memory. The libuv constant is `UV_EAI_MEMORY`.
    public static let nameOutOfMemory = Self(UV_EAI_MEMORY)
    /// No address. The libuv constant is `UV_EAI_NODATA`.
    public static let nameHasNoAddress = Self(UV_EAI_NODATA)
    /// Unknown node or service. The libuv constant is `UV_EAI_NONAME`.
    public static let nameUnknown = Self(UV_EAI_NONAME)
    /// Argument buffer overflow. The libuv constant is `UV_EAI_OVERFLOW`.
    public static let nameOverflow = Self(UV_EAI_OVERFLOW)
    /// Resolved protocol is unknown. The libuv constant is `UV_EAI_PROTOCOL`.
    public static let nameProtocolUnknown = Self(UV_EAI_PROTOCOL)
    /// Service not available for socket type. The libuv constant is `UV_EAI_SERVICE`.
    public static let nameServiceNotAvailable = Self(UV_EAI_SERVICE)
    /// Socket type not supported. The libuv constant is `UV_EAI_SOCKTYPE`.
    public static let nameSocketTypeNotSupported = Self(UV_EAI_SOCKTYPE)
    /// Connection already in progress. The libuv constant is `UV_EALREADY`.
    public static let alreadyInProgress = Self(UV_EALREADY)
    /// Bad file descriptor. The libuv constant is `UV_EBADF`.
    public static let badFileDescriptor = Self(UV_EBADF)
    /// Resource busy or locked. The libuv constant is `UV_EBUSY`.
    public static let busy = Self(UV_EBUSY)
    /// Operation canceled. The libuv constant is `UV_ECANCELED`.
    public static let canceled = Self(UV_ECANCELED)
    /// Invalid Unicode character. The libuv constant is `UV_ECHARSET`.
    public static let invalidUnicode = Self(UV_ECHARSET)
    /// Software caused connection abort. The libuv constant is `UV_ECONNABORTED`.
    public static let connectionAborted = Self(UV_ECONNABORTED)
    /// Connection refused. The libuv constant is `UV_ECONNREFUSED`.
    public static let connectionRefused = Self(UV_ECONNREFUSED)
    /// Connection reset by peer. The libuv constant is `UV_ECONNRESET`.
    public static let connectionReset = Self(UV_ECONNRESET)
    /// Destination address required. The libuv constant is `UV_EDESTADDRREQ`.
    public static let destinationAddressRequired = Self(UV_EDESTADDRREQ)
    /// File already exists. The libuv constant is `UV_EEXIST`.
    public static let fileExists = Self(UV_EEXIST)
    /// Bad address in system call argument. The libuv constant is `UV_EFAULT`.
    public static let badAddress = Self(UV_EFAULT)
    /// File too large. The libuv constant is `UV_EFBIG`.
    public static let fileTooLarge = Self(UV_EFBIG)
    /// Host is unreachable. The libuv constant is `UV_EHOSTUNREACH`.
    public static let hostUnreachable = Self(UV_EHOSTUNREACH)
    /// Interrupted system call. The libuv constant is `UV_EINTR`.
    public static let interrupted = Self(UV_EINTR)
    /// Invalid argument. The libuv constant is `UV_EINVAL`.
    public static let invalidArgument = Self(UV_EINVAL)
    /// I/O error. The libuv constant is `UV_EIO`.
    public static let ioError = Self(UV_EIO)
    /// Socket is already connected. The libuv constant is `UV_EISCONN`.
    public static let alreadyConnected = Self(UV_EISCONN)
    /// Illegal operation on a directory. The libuv constant is `UV_EISDIR`.
    public static let isDirectory = Self(UV_EISDIR)
    /// Too many symbolic links encountered. The libuv constant is `UV_ELOOP`.
    public static let tooManySymbolicLinks = Self(UV_ELOOP)
    /// Too many open files. The libuv constant is `UV_EMFILE`.
    public static let tooManyOpenFiles = Self(UV_EMFILE)
    /// Message too long. The libuv constant is `UV_EMSGSIZE`.
    public static let messageTooLong = Self(UV_EMSGSIZE)
    /// Name too long. The libuv constant is `UV_ENAMETOOLONG`.
    public static let nameTooLong = Self(UV_ENAMETOOLONG)
    /// Network is down. The libuv constant is `UV_ENETDOWN`.
    public static let networkDown = Self(UV_ENETDOWN)
    /// Network is unreachable. The libuv constant is `UV_ENETUNREACH`.
    public static let networkUnreachable = Self(UV_ENETUNREACH)
    /// File table overflow. The libuv constant is `UV_ENFILE`.
    public static let tooManyOpenFilesInSystem = Self(UV_ENFILE)
    /// No buffer space available. The libuv constant is `UV_ENOBUFS`.
    public static let noBufferSpace = Self(UV_ENOBUFS)
    /// No such device. The libuv constant is `UV_ENODEV`.
    public static let noSuchDevice = Self(UV_ENODEV)
    /// No such file or directory. The libuv constant is `UV_ENOENT`.
    public static let noSuchFileOrDirectory = Self(UV_ENOENT)
    /// Not enough memory. The libuv constant is `UV_ENOMEM`.
    public static let outOfMemory = Self(UV_ENOMEM)
    /// Machine is not on the network. The libuv constant is `UV_ENONET`.
    public static let notOnNetwork = Self(UV_ENONET)
    /// Protocol not available. The libuv constant is `UV_ENOPROTOOPT`.
    public static let protocolNotAvailable = Self(UV_ENOPROTOOPT)
    /// No space left on device. The libuv constant is `UV_ENOSPC`.
    public static let noSpace = Self(UV_ENOSPC)
    /// Function not implemented. The libuv constant is `UV_ENOSYS`.
    public static let functionNotImplemented = Self(UV_ENOSYS)
    /// Socket is not connected. The libuv constant is `UV_ENOTCONN`.
    public static let notConnected = Self(UV_ENOTCONN)
    /// Not a directory. The libuv constant is `UV_ENOTDIR`.
    public static let notDirectory = Self(UV_ENOTDIR)
    /// Directory not empty. The libuv constant is `UV_ENOTEMPTY`.
    public static let directoryNotEmpty = Self(UV_ENOTEMPTY)
    /// Socket operation on non-socket. The libuv constant is `UV_ENOTSOCK`.
    public static let notSocket = Self(UV_ENOTSOCK)
    /// Operation not supported on socket. The libuv constant is `UV_ENOTSUP`.
    public static let notSupported = Self(UV_ENOTSUP)
    /// Value too large for defined data type. The libuv constant is `UV_EOVERFLOW`.
    public static let valueTooLarge = Self(UV_EOVERFLOW)
    /// Operation not permitted. The libuv constant is `UV_EPERM`.
    public static let notPermitted = Self(UV_EPERM)
    /// Broken pipe. The libuv constant is `UV_EPIPE`.
    public static let brokenPipe = Self(UV_EPIPE)
    /// Protocol error. The libuv constant is `UV_EPROTO`.
    public static let protocolError = Self(UV_EPROTO)
    /// Protocol not supported. The libuv constant is `UV_EPROTONOSUPPORT`.
    public static let protocolNotSupported = Self(UV_EPROTONOSUPPORT)
    /// Protocol wrong type for socket. The libuv constant is `UV_EPROTOTYPE`.
    public static let wrongProtocolType = Self(UV_EPROTOTYPE)
    /// Result too large. The libuv constant is `UV_ERANGE`.
    public static let resultTooLarge = Self(UV_ERANGE)
    /// Read-only file system. The libuv constant is `UV_EROFS`.
    public static let readOnlyFileSystem = Self(UV_EROFS)
    /// Cannot send after transport endpoint shutdown. The libuv constant is `UV_ESHUTDOWN`.
    public static let socketShutdown = Self(UV_ESHUTDOWN)
    /// Invalid seek. The libuv constant is `UV_ESPIPE`.
    public static let illegalSeek = Self(UV_ESPIPE)
    /// No such process. The libuv constant is `UV_ESRCH`.
    public static let noSuchProcess = Self(UV_ESRCH)
    /// Connection timed out. The libuv constant is `UV_ETIMEDOUT`.
    public static let timedOut = Self(UV_ETIMEDOUT)
    /// Text file is busy. The libuv constant is `UV_ETXTBSY`.
    public static let textFileBusy = Self(UV_ETXTBSY)
    /// Cross-device link not permitted. The libuv constant is `UV_EXDEV`.
    public static let crossDeviceLink = Self(UV_EXDEV)
    /// Unknown error. The libuv constant is `UV_UNKNOWN`.
    public static let unknown = Self(UV_UNKNOWN)
    /// End of file. The libuv constant is `UV_EOF`.
    public static let endOfFile = Self(UV_EOF)
    /// No such device or address. The libuv constant is `UV_ENXIO`.
    public static let noSuchDeviceOrAddress = Self(UV_ENXIO)
    /// Too many links. The libuv constant is `UV_EMLINK`.
    public static let tooManyLinks = Self(UV_EMLINK)
    /// Host is down. The libuv constant is `UV_EHOSTDOWN`.
    public static let hostDown = Self(UV_EHOSTDOWN)
    /// Remote I/O error. The libuv constant is `UV_EREMOTEIO`.
    public static let remoteIOError = Self(UV_EREMOTEIO)
    /// Inappropriate ioctl for device. The libuv constant is `UV_ENOTTY`.
    public static let inappropriateIOControl = Self(UV_ENOTTY)
    /// Inappropriate file type or format. The libuv constant is `UV_EFTYPE`.
    public static let inappropriateFileType = Self(UV_EFTYPE)
    /// Illegal byte sequence. The libuv constant is `UV_EILSEQ`.
    public static let illegalByteSequence = Self(UV_EILSEQ)
    /// Socket type not supported. The libuv constant is `UV_ESOCKTNOSUPPORT`.
    public static let socketTypeNotSupported = Self(UV_ESOCKTNOSUPPORT)
}
